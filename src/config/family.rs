//! The architectures that can be read.

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// GPT-2: learned positions, layer norm before each part, one MLP projection up and one down.
    Gpt2,
    /// Llama 1 to 3 and what is built like them (SmolLM, TinyLlama): rotated queries and keys, RMS norms,
    /// gated MLPs, grouped queries.
    Llama,
    /// Mistral: a Llama that may look only so far back.
    Mistral,
    /// Qwen 2 and 2.5: a Llama with biases on queries, keys and values.
    Qwen2,
    /// Qwen 3: a Llama whose heads' queries and keys are normalised.
    Qwen3,
    /// GPT-NeoX (Pythia): rotates a part of each head; attention and MLP side by side.
    GptNeox,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] = [
        Self::Gpt2,
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::GptNeox,
    ];

    /// What `model_type` of a `config.json` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::GptNeox => "gpt_neox",
        }
    }

    /// The family that `model_type` names.
    pub fn by_name(model_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|family| family.name() == model_type)
    }

    /// What precedes the names of a checkpoint's tensors, the head's aside; a checkpoint may have it
    /// or not.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Gpt2 => "transformer.",
            Self::GptNeox => "gpt_neox.",
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 => "model.",
        }
    }

    /// What a checkpoint calls an unembedding that is not the embedding's.
    pub fn own_unembedding(self) -> &'static str {
        match self {
            Self::GptNeox => "embed_out.weight",
            _ => "lm_head.weight",
        }
    }

    /// A sentence for those who come with another: `the families that work are ...`.
    pub fn those_that_work() -> String {
        let names = Self::ALL.map(|family| format!("{:?}", family.name()));
        let (last, others) = names.split_last().expect("there are families");
        format!(
            "the families that work are {} and {last}",
            others.join(", ")
        )
    }

    pub(super) fn is_llama_like(self) -> bool {
        !matches!(self, Self::Gpt2 | Self::GptNeox)
    }
}
