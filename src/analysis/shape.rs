//! A model's shape in words.

use super::grouped;
use crate::config::{ActFn, ModelConfig, Rotary, RotaryScaling};

/// What is to be known of a model's shape: names and what each is, in the order they are told.
pub fn shape_facts(config: &ModelConfig) -> Vec<(&'static str, String)> {
    let n = |count: usize| grouped(count as u64);
    let mut facts = vec![
        ("layers", n(config.n_layers)),
        (
            "heads",
            format!(
                "{} ({} a layer, {} wide)",
                n(config.n_layers * config.n_heads),
                n(config.n_heads),
                n(config.d_head)
            ),
        ),
    ];
    if config.has_shared_keys() {
        let n_sharing = config.n_heads / config.n_kv_heads;
        facts.push((
            "kv heads",
            format!(
                "{} ({} a layer, each read by {n_sharing} heads)",
                n(config.n_layers * config.n_kv_heads),
                n(config.n_kv_heads)
            ),
        ));
    }
    facts.extend([
        ("MLP neurons", neurons(config)),
        ("residual width", n(config.d_model)),
        ("norms", norms(config).to_owned()),
        ("positions", positions(config)),
    ]);
    if let Some(window) = config.sliding_window {
        let from = match window.first_layer {
            0 => String::new(),
            first => format!(", from layer {first} on"),
        };
        facts.push((
            "attention",
            format!("{} positions back{from}", n(window.n_pos)),
        ));
    }
    if config.is_parallel {
        let both = "attention and MLP read the same stream, side by side";
        facts.push(("blocks", both.to_owned()));
    }
    facts.extend([
        ("context", format!("{} tokens", n(config.n_ctx))),
        ("vocabulary", format!("{} tokens", n(config.d_vocab))),
        (
            "unembedding",
            match config.tie_word_embeddings {
                true => "the token embedding, transposed",
                false => "its own",
            }
            .to_owned(),
        ),
    ]);
    facts
}

fn neurons(config: &ModelConfig) -> String {
    let act_fn = match config.act_fn {
        ActFn::Gelu | ActFn::GeluNew => "GELU",
        ActFn::Silu => "SiLU",
    };
    let gated = if config.is_gated() { ", gated" } else { "" };
    format!(
        "{} ({} a layer, {act_fn}{gated})",
        grouped((config.n_layers * config.d_mlp) as u64),
        grouped(config.d_mlp as u64)
    )
}

fn norms(config: &ModelConfig) -> &'static str {
    match (config.is_rms_norm(), config.has_qk_norm()) {
        (true, true) => "RMS, of each head's query and key too",
        (true, false) => "RMS",
        (false, _) => "layer norm",
    }
}

fn positions(config: &ModelConfig) -> String {
    match &config.rotary {
        None => "learned, a vector each".to_owned(),
        Some(rotary) => format!("rotated{}{}", turned(rotary, config.d_head), turn(rotary)),
    }
}

fn turned(rotary: &Rotary, d_head: usize) -> String {
    let n = 2 * rotary.n_pairs();
    if n == d_head {
        String::new()
    } else {
        format!(" in {n} of a head's {d_head} dimensions")
    }
}

fn turn(rotary: &Rotary) -> String {
    let base = grouped(rotary.theta.round() as u64);
    match rotary.scaling {
        RotaryScaling::Default => format!(", base {base}"),
        RotaryScaling::Linear { factor } => format!(", base {base}, {factor} times slower"),
        RotaryScaling::Llama3 { factor, .. } => {
            format!(", base {base}, slow turns up to {factor} times slower")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> String {
        let facts = shape_facts(&ModelConfig::preset(name).unwrap());
        let lines = facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        lines.collect()
    }

    #[test]
    fn every_family_is_told_as_it_is() {
        for (name, said, not) in [
            (
                "gpt2",
                &["layer norm", "learned", "GELU)"][..],
                &["kv heads", "gated", "blocks"][..],
            ),
            (
                "llama-3.2-1b",
                &[
                    "kv heads: 128 (8 a layer, each read by 4 heads)",
                    "131,072 (8,192 a layer, SiLU, gated)",
                    "norms: RMS\n",
                    "rotated, base 500,000, slow turns up to 32 times slower",
                ],
                &["learned", "blocks", "positions back"],
            ),
            (
                "mistral-7b-v0.1",
                &["attention: 4,096 positions back\n"],
                &["from layer"],
            ),
            (
                "qwen3-0.6b",
                &["query and key too", "128 wide"],
                &["layer norm"],
            ),
            (
                "pythia-160m",
                &[
                    "in 16 of a head's 64 dimensions",
                    "side by side",
                    "layer norm",
                    "its own",
                ],
                &["kv heads", "gated"],
            ),
        ] {
            let told = told(name);
            for words in said {
                assert!(told.contains(words), "{name} lacks {words:?}: {told}");
            }
            for words in not {
                assert!(!told.contains(words), "{name} has {words:?}: {told}");
            }
        }
    }
}
