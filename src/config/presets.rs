//! The shapes of published models, by name.

use super::{ActFn, Family, ModelConfig, Rotary, RotaryScaling, SlidingWindow};

/// A GPT-2: name, layers, width, heads.
const GPT2: [(&str, usize, usize, usize); 5] = [
    ("distilgpt2", 6, 768, 12),
    ("gpt2", 12, 768, 12),
    ("gpt2-medium", 24, 1024, 16),
    ("gpt2-large", 36, 1280, 20),
    ("gpt2-xl", 48, 1600, 25),
];

/// A GPT-NeoX: name, layers, width, heads, vocabulary.
const GPT_NEOX: [(&str, usize, usize, usize, usize); 10] = [
    ("pythia-14m", 6, 128, 4, 50_304),
    ("pythia-70m", 6, 512, 8, 50_304),
    ("pythia-160m", 12, 768, 12, 50_304),
    ("pythia-410m", 24, 1024, 16, 50_304),
    ("pythia-1b", 16, 2048, 8, 50_304),
    ("pythia-1.4b", 24, 2048, 16, 50_304),
    ("pythia-2.8b", 32, 2560, 32, 50_304),
    ("pythia-6.9b", 32, 4096, 32, 50_432),
    ("pythia-12b", 36, 5120, 40, 50_688),
    ("gpt-neox-20b", 44, 6144, 64, 50_432),
];

/// A Llama or what is built like one.
struct LlamaLike {
    name: &'static str,
    family: Family,
    /// Layers, width, heads, heads of keys and values, width of a head, neurons.
    shape: [usize; 6],
    d_vocab: usize,
    n_ctx: usize,
    theta: f64,
    /// How many times slower than plain, with Llama 3.1's scaling; 1 is plain.
    stretch: f64,
    is_tied: bool,
}

const fn like(
    name: &'static str,
    family: Family,
    shape: [usize; 6],
    (d_vocab, n_ctx): (usize, usize),
    theta: f64,
) -> LlamaLike {
    LlamaLike {
        name,
        family,
        shape,
        d_vocab,
        n_ctx,
        theta,
        stretch: 1.0,
        is_tied: false,
    }
}

impl LlamaLike {
    const fn tied(self) -> Self {
        Self {
            is_tied: true,
            ..self
        }
    }

    const fn stretched(self, stretch: f64) -> Self {
        Self { stretch, ..self }
    }
}

/// Vocabulary and context of a generation of models.
const LLAMA_1: (usize, usize) = (32_000, 2048);
const LLAMA_2: (usize, usize) = (32_000, 4096);
const LLAMA_3: (usize, usize) = (128_256, 8192);
const LLAMA_3_1: (usize, usize) = (128_256, 131_072);
const SMOLLM: (usize, usize) = (49_152, 2048);
const SMOLLM_2: (usize, usize) = (49_152, 8192);
const MISTRAL: (usize, usize) = (32_000, 32_768);
const MISTRAL_3: (usize, usize) = (32_768, 32_768);
const QWEN_2: (usize, usize) = (151_936, 131_072);
const QWEN_2_LARGE: (usize, usize) = (152_064, 131_072);
const QWEN_2_5: (usize, usize) = (151_936, 32_768);
const QWEN_2_5_LARGE: (usize, usize) = (152_064, 131_072);
const QWEN_3: (usize, usize) = (151_936, 40_960);

#[rustfmt::skip]
const LLAMA_LIKE: [LlamaLike; 36] = {
    use Family::{Llama, Mistral, Qwen2, Qwen3};
    [
        like("smollm-135m", Llama, [30, 576, 9, 3, 64, 1536], SMOLLM, 1e4).tied(),
        like("smollm-360m", Llama, [32, 960, 15, 5, 64, 2560], SMOLLM, 1e4).tied(),
        like("smollm-1.7b", Llama, [24, 2048, 32, 32, 64, 8192], SMOLLM, 1e4).tied(),
        like("smollm2-135m", Llama, [30, 576, 9, 3, 64, 1536], SMOLLM_2, 1e5).tied(),
        like("smollm2-360m", Llama, [32, 960, 15, 5, 64, 2560], SMOLLM_2, 1e5).tied(),
        like("smollm2-1.7b", Llama, [24, 2048, 32, 32, 64, 8192], SMOLLM_2, 1.3e5).tied(),
        like("tinyllama-1.1b", Llama, [22, 2048, 32, 4, 64, 5632], LLAMA_1, 1e4),
        like("llama-7b", Llama, [32, 4096, 32, 32, 128, 11_008], LLAMA_1, 1e4),
        like("llama-13b", Llama, [40, 5120, 40, 40, 128, 13_824], LLAMA_1, 1e4),
        like("llama-2-7b", Llama, [32, 4096, 32, 32, 128, 11_008], LLAMA_2, 1e4),
        like("llama-2-13b", Llama, [40, 5120, 40, 40, 128, 13_824], LLAMA_2, 1e4),
        like("llama-2-70b", Llama, [80, 8192, 64, 8, 128, 28_672], LLAMA_2, 1e4),
        like("llama-3-8b", Llama, [32, 4096, 32, 8, 128, 14_336], LLAMA_3, 5e5),
        like("llama-3-70b", Llama, [80, 8192, 64, 8, 128, 28_672], LLAMA_3, 5e5),
        like("llama-3.1-8b", Llama, [32, 4096, 32, 8, 128, 14_336], LLAMA_3_1, 5e5).stretched(8.0),
        like("llama-3.1-70b", Llama, [80, 8192, 64, 8, 128, 28_672], LLAMA_3_1, 5e5).stretched(8.0),
        like("llama-3.2-1b", Llama, [16, 2048, 32, 8, 64, 8192], LLAMA_3_1, 5e5).stretched(32.0).tied(),
        like("llama-3.2-3b", Llama, [28, 3072, 24, 8, 128, 8192], LLAMA_3_1, 5e5).stretched(32.0).tied(),
        like("mistral-7b-v0.1", Mistral, [32, 4096, 32, 8, 128, 14_336], MISTRAL, 1e4),
        like("mistral-7b-v0.3", Mistral, [32, 4096, 32, 8, 128, 14_336], MISTRAL_3, 1e6),
        like("qwen2-0.5b", Qwen2, [24, 896, 14, 2, 64, 4864], QWEN_2, 1e6).tied(),
        like("qwen2-1.5b", Qwen2, [28, 1536, 12, 2, 128, 8960], QWEN_2, 1e6).tied(),
        like("qwen2-7b", Qwen2, [28, 3584, 28, 4, 128, 18_944], QWEN_2_LARGE, 1e6),
        like("qwen2.5-0.5b", Qwen2, [24, 896, 14, 2, 64, 4864], QWEN_2_5, 1e6).tied(),
        like("qwen2.5-1.5b", Qwen2, [28, 1536, 12, 2, 128, 8960], QWEN_2, 1e6).tied(),
        like("qwen2.5-3b", Qwen2, [36, 2048, 16, 2, 128, 11_008], QWEN_2_5, 1e6).tied(),
        like("qwen2.5-7b", Qwen2, [28, 3584, 28, 4, 128, 18_944], QWEN_2_5_LARGE, 1e6),
        like("qwen2.5-14b", Qwen2, [48, 5120, 40, 8, 128, 13_824], QWEN_2_5_LARGE, 1e6),
        like("qwen2.5-32b", Qwen2, [64, 5120, 40, 8, 128, 27_648], QWEN_2_5_LARGE, 1e6),
        like("qwen2.5-72b", Qwen2, [80, 8192, 64, 8, 128, 29_568], QWEN_2_5_LARGE, 1e6),
        like("qwen3-0.6b", Qwen3, [28, 1024, 16, 8, 128, 3072], QWEN_3, 1e6).tied(),
        like("qwen3-1.7b", Qwen3, [28, 2048, 16, 8, 128, 6144], QWEN_3, 1e6).tied(),
        like("qwen3-4b", Qwen3, [36, 2560, 32, 8, 128, 9728], QWEN_3, 1e6).tied(),
        like("qwen3-8b", Qwen3, [36, 4096, 32, 8, 128, 12_288], QWEN_3, 1e6),
        like("qwen3-14b", Qwen3, [40, 5120, 40, 8, 128, 17_408], QWEN_3, 1e6),
        like("qwen3-32b", Qwen3, [64, 5120, 64, 8, 128, 25_600], QWEN_3, 1e6),
    ]
};

impl ModelConfig {
    /// Names that [`preset`](Self::preset) knows, family by family.
    pub fn preset_names() -> impl Iterator<Item = &'static str> {
        let gpt2 = GPT2.iter().map(|(name, ..)| *name);
        let llama_like = LLAMA_LIKE.iter().map(|preset| preset.name);
        let gpt_neox = GPT_NEOX.iter().map(|(name, ..)| *name);
        gpt2.chain(llama_like).chain(gpt_neox)
    }

    /// The shape of a published model, by its name on the Hub without the organisation, in small
    /// letters.
    pub fn preset(name: &str) -> Option<Self> {
        let gpt2 = || GPT2.iter().find(|preset| preset.0 == name).map(gpt2);
        let llama_like = || LLAMA_LIKE.iter().find(|preset| preset.name == name);
        let gpt_neox = || GPT_NEOX.iter().find(|preset| preset.0 == name);
        gpt2()
            .or_else(|| llama_like().map(self::llama_like))
            .or_else(|| gpt_neox().map(self::gpt_neox))
    }
}

fn gpt2(&(_, n_layers, d_model, n_heads): &(&str, usize, usize, usize)) -> ModelConfig {
    ModelConfig {
        family: Family::Gpt2,
        n_layers,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: 4 * d_model,
        n_ctx: 1024,
        d_vocab: 50_257,
        act_fn: ActFn::GeluNew,
        layer_norm_eps: 1e-5,
        scale_attn_weights: true,
        scale_attn_by_inverse_layer_idx: false,
        rotary: None,
        is_parallel: false,
        qkv_bias: true,
        attn_out_bias: true,
        mlp_bias: true,
        sliding_window: None,
        tie_word_embeddings: true,
        bos_token_id: Some(50_256),
        eos_token_ids: vec![50_256],
    }
}

fn llama_like(preset: &LlamaLike) -> ModelConfig {
    let [n_layers, d_model, n_heads, n_kv_heads, d_head, d_mlp] = preset.shape;
    let scaling = if preset.stretch == 1.0 {
        RotaryScaling::Default
    } else {
        RotaryScaling::Llama3 {
            factor: preset.stretch,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_n_ctx: 8192,
        }
    };
    let is_windowed = preset.name == "mistral-7b-v0.1";
    let (bos, eos) = special_tokens(preset);
    ModelConfig {
        family: preset.family,
        n_layers,
        d_model,
        n_heads,
        n_kv_heads,
        d_head,
        d_mlp,
        n_ctx: preset.n_ctx,
        d_vocab: preset.d_vocab,
        act_fn: ActFn::Silu,
        layer_norm_eps: match preset.family {
            Family::Qwen2 | Family::Qwen3 => 1e-6,
            _ => 1e-5,
        },
        scale_attn_weights: true,
        scale_attn_by_inverse_layer_idx: false,
        rotary: Some(Rotary {
            dim: d_head,
            theta: preset.theta,
            scaling,
        }),
        is_parallel: false,
        qkv_bias: preset.family == Family::Qwen2,
        attn_out_bias: false,
        mlp_bias: false,
        sliding_window: is_windowed.then_some(SlidingWindow {
            n_pos: 4096,
            first_layer: 0,
        }),
        tie_word_embeddings: preset.is_tied,
        bos_token_id: Some(bos),
        eos_token_ids: vec![eos],
    }
}

/// The tokens that begin and end a text.
fn special_tokens(preset: &LlamaLike) -> (u32, u32) {
    match (preset.family, preset.d_vocab) {
        (Family::Qwen2 | Family::Qwen3, _) => (151_643, 151_643),
        (_, 128_256) => (128_000, 128_001),
        (_, 49_152) => (0, 0),
        _ => (1, 2),
    }
}

fn gpt_neox(
    &(name, n_layers, d_model, n_heads, d_vocab): &(&str, usize, usize, usize, usize),
) -> ModelConfig {
    let d_head = d_model / n_heads;
    ModelConfig {
        family: Family::GptNeox,
        n_layers,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head,
        d_mlp: 4 * d_model,
        n_ctx: 2048,
        d_vocab,
        // The largest was trained with the faster of the two.
        act_fn: match name {
            "gpt-neox-20b" => ActFn::GeluNew,
            _ => ActFn::Gelu,
        },
        layer_norm_eps: 1e-5,
        scale_attn_weights: true,
        scale_attn_by_inverse_layer_idx: false,
        rotary: Some(Rotary {
            dim: d_head / 4,
            theta: 10_000.0,
            scaling: RotaryScaling::Default,
        }),
        is_parallel: true,
        qkv_bias: true,
        attn_out_bias: true,
        mlp_bias: true,
        sliding_window: None,
        tie_word_embeddings: false,
        bos_token_id: Some(0),
        eos_token_ids: vec![0],
    }
}
