//! What a GGUF file calls a model's tensors, and how it orders their rows.

use super::super::Order;
use crate::config::Family;

/// The architecture, as far as names and orders depend on it.
pub(in super::super) struct GgufNaming {
    pub(super) architecture: String,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
}

/// Names outside of the layers: Hugging Face's without its prefix, and GGUF's.
const TOP: [(&str, &str); 9] = [
    ("wte", "token_embd"),
    ("embed_tokens", "token_embd"),
    ("embed_in", "token_embd"),
    ("wpe", "position_embd"),
    ("ln_f", "output_norm"),
    ("norm", "output_norm"),
    ("final_layer_norm", "output_norm"),
    ("lm_head", "output"),
    ("embed_out", "output"),
];

/// Names within a layer.
const LAYER: [(&str, &str); 21] = [
    // GPT-2
    ("ln_1", "attn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
    // Llama, Mistral, Qwen
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    // GPT-NeoX, whose norm before the MLP has the same name
    ("post_attention_layernorm", "ffn_norm"),
    ("attention.query_key_value", "attn_qkv"),
    ("attention.dense", "attn_output"),
    ("mlp.dense_h_to_4h", "ffn_up"),
    ("mlp.dense_4h_to_h", "ffn_down"),
];

impl GgufNaming {
    /// The file's name for the model's tensor `name`, and how it orders its rows.
    pub(in super::super) fn key(&self, name: &str) -> (String, Order) {
        (gguf_name(name), self.order(name))
    }

    fn order(&self, name: &str) -> Order {
        let (path, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let is = |part: &str| path.ends_with(part);
        match self.architecture.as_str() {
            // Hugging Face keeps GPT-2's projections [in, out].
            "gpt2" if end == "weight" && [".c_attn", ".c_proj", ".c_fc"].into_iter().any(is) => {
                Order::Transposed
            }
            // llama.cpp rotates neighbours, Hugging Face halves.
            "llama" if is(".q_proj") => Order::Alternating {
                n_heads: self.n_heads,
            },
            "llama" if is(".k_proj") => Order::Alternating {
                n_heads: self.n_kv_heads,
            },
            "gptneox" if is(".query_key_value") => Order::Thirds {
                n_heads: self.n_heads,
            },
            _ => Order::Same,
        }
    }
}

fn gguf_name(name: &str) -> String {
    let bare = Family::ALL
        .iter()
        .find_map(|family| name.strip_prefix(family.prefix()))
        .unwrap_or(name);
    let (path, end) = bare.rsplit_once('.').unwrap_or((bare, ""));
    let find = |names: &[(&str, &'static str)], path: &str| {
        names
            .iter()
            .find(|(known, _)| *known == path)
            .map(|(_, gguf)| *gguf)
    };
    let in_layer = || {
        let rest = path.strip_prefix("h.").or(path.strip_prefix("layers."))?;
        let (layer, part) = rest.split_once('.')?;
        Some(format!("blk.{layer}.{}.{end}", find(&LAYER, part)?))
    };
    find(&TOP, path)
        .map(|gguf| format!("{gguf}.{end}"))
        .or_else(in_layer)
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_called_as_llama_cpp_calls_them() {
        for (name, expected) in [
            ("wte.weight", "token_embd.weight"),
            ("h.3.attn.c_attn.bias", "blk.3.attn_qkv.bias"),
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.norm.weight", "output_norm.weight"),
            ("lm_head.weight", "output.weight"),
            (
                "model.layers.11.self_attn.q_norm.weight",
                "blk.11.attn_q_norm.weight",
            ),
            (
                "model.layers.0.post_attention_layernorm.weight",
                "blk.0.ffn_norm.weight",
            ),
            (
                "gpt_neox.layers.1.mlp.dense_4h_to_h.weight",
                "blk.1.ffn_down.weight",
            ),
            ("embed_out.weight", "output.weight"),
            ("something.else", "something.else"),
        ] {
            assert_eq!(gguf_name(name), expected);
        }
    }
}
