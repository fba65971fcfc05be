//! A model in numbers: every tensor with its parameters and memory.

use std::collections::BTreeMap;

use crate::config::{ModelConfig, WeightSpec};
use crate::weight::WeightPoint;

/// A model, a part of it, a tensor of its checkpoint, or a weight that is part of such a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryNode {
    /// What it is called: `layer 3`, or the checkpoint's key.
    pub name: String,
    /// Its dimensions, outermost first; none where it is several tensors.
    pub shape: Vec<usize>,
    /// Numbers it holds.
    pub parameters: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Of the whole model's parameters, 0 to 1.
    pub share: f64,
    /// The weight that is seen for it, if it is one tensor: the first, where it holds several.
    pub weight: Option<WeightPoint>,
    /// What it consists of; nothing for a tensor that is one weight.
    pub children: Vec<Self>,
}

impl SummaryNode {
    /// The whole model: parts (embedding, layers, output), of these the checkpoint's tensors, and of a
    /// tensor that holds several weights those. `bytes_of` says what a tensor takes.
    ///
    /// A part's parameters are the sum of its tensors', and the model's are its parts'; a tied
    /// unembedding counts once, as the token embedding.
    pub fn of_model(config: &ModelConfig, bytes_of: &dyn Fn(&WeightSpec) -> u64) -> Self {
        let n_total = config.parameter_count();
        let node = |name: String, shape: Vec<usize>, parameters: u64, bytes: u64| Self {
            name,
            shape,
            parameters,
            bytes,
            share: parameters as f64 / n_total.max(1) as f64,
            weight: None,
            children: Vec::new(),
        };
        let mut weights = weights_by_key(config);
        let mut parts: Vec<Self> = Vec::new();
        for spec in config.weights() {
            let part_name = part_of(&spec.name, parts.len() > 1);
            if parts.last().is_none_or(|part| part.name != part_name) {
                parts.push(node(part_name, Vec::new(), 0, 0));
            }
            let held = weights.remove(&spec.name).unwrap_or_default();
            let (n_all, bytes) = (spec.element_count() as u64, bytes_of(&spec));
            let mut tensor = node(spec.name, spec.shape, n_all, bytes);
            tensor.weight = held.first().copied();
            if held.len() > 1 {
                tensor.children = held
                    .into_iter()
                    .map(|weight| {
                        let (n_rows, n_columns) = config.weight_slice(weight).shape();
                        let shape = match n_rows {
                            1 => vec![n_columns],
                            _ => vec![n_rows, n_columns],
                        };
                        let n_parameters = (n_rows * n_columns) as u64;
                        let bytes = share_of(bytes, n_parameters, n_all);
                        Self {
                            weight: Some(weight),
                            ..node(weight.to_string(), shape, n_parameters, bytes)
                        }
                    })
                    .collect();
            }
            let part = parts.last_mut().expect("a part was just pushed");
            let (n_parameters, bytes) = (part.parameters + n_all, part.bytes + bytes);
            part.children.push(tensor);
            *part = Self {
                children: std::mem::take(&mut part.children),
                ..node(
                    std::mem::take(&mut part.name),
                    Vec::new(),
                    n_parameters,
                    bytes,
                )
            };
        }
        let bytes = parts.iter().map(|part| part.bytes).sum();
        Self {
            children: parts,
            ..node("total".to_owned(), Vec::new(), n_total, bytes)
        }
    }

    /// What a table says of it: its name, shape, parameters, memory and share of all parameters.
    pub fn cells(&self) -> [String; 5] {
        let sides = self.shape.iter().map(|side| grouped(*side as u64));
        [
            self.name.clone(),
            sides.collect::<Vec<_>>().join(" × "),
            grouped(self.parameters),
            human_bytes(self.bytes),
            format!("{:.1} %", 100.0 * self.share),
        ]
    }
}

/// The bytes of `n` numbers of `n_all` that take `bytes`.
fn share_of(bytes: u64, n: u64, n_all: u64) -> u64 {
    (u128::from(bytes) * u128::from(n) / u128::from(n_all.max(1))) as u64
}

/// The weights that each tensor of the checkpoint holds; a tied unembedding is none of its own.
fn weights_by_key(config: &ModelConfig) -> BTreeMap<String, Vec<WeightPoint>> {
    let mut weights: BTreeMap<String, Vec<WeightPoint>> = BTreeMap::new();
    for weight in config.weight_points() {
        if weight == WeightPoint::Unembed && config.tie_word_embeddings {
            continue;
        }
        let key = config.weight_slice(weight).key;
        weights.entry(key).or_default().push(weight);
    }
    weights
}

/// The part of the model that a checkpoint's tensor belongs to, by the layer number in its name.
fn part_of(tensor: &str, is_after_layers: bool) -> String {
    let layer = tensor
        .split('.')
        .find_map(|word| word.parse::<usize>().ok());
    match layer {
        Some(layer) => format!("layer {layer}"),
        None if is_after_layers => "output".to_owned(),
        None => "embedding".to_owned(),
    }
}

/// The number with a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest binary unit of which there is one, such as `474.70 MiB`.
pub fn human_bytes(bytes: u64) -> String {
    let mut count = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if count < 1024.0 {
            break;
        }
        count /= 1024.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{count:.2} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(spec: &WeightSpec) -> u64 {
        4 * spec.element_count() as u64
    }

    #[test]
    fn totals_are_the_checkpoints_and_every_node_is_the_sum_of_what_it_consists_of() {
        for name in ModelConfig::preset_names() {
            let config = ModelConfig::preset(name).unwrap();

            let model = SummaryNode::of_model(&config, &f32s);

            assert_eq!(model.parameters, config.parameter_count(), "{name}");
            assert_eq!(model.bytes, 4 * config.parameter_count());
            assert_eq!(model.children.len(), config.n_layers + 2);
            let tensors: usize = model.children.iter().map(|part| part.children.len()).sum();
            assert_eq!(tensors, config.weights().len());
            assert_sums(&model);
        }
    }

    fn assert_sums(node: &SummaryNode) {
        if node.children.is_empty() {
            let n: usize = node.shape.iter().product();
            assert_eq!(n as u64, node.parameters, "{}", node.name);
            return;
        }
        let children = node.children.iter();
        let n: u64 = children.clone().map(|child| child.parameters).sum();
        let share: f64 = children.clone().map(|child| child.share).sum();
        assert_eq!(n, node.parameters, "{}", node.name);
        assert!((share - node.share).abs() < 1e-12, "{}", node.name);
        children.for_each(assert_sums);
    }

    #[test]
    fn a_tensor_of_several_weights_lists_them_and_every_tensor_has_one_to_be_seen() {
        let config = ModelConfig::preset("gpt2").unwrap();

        let model = SummaryNode::of_model(&config, &|spec| 2 * spec.element_count() as u64);

        let layer = &model.children[1];
        assert_eq!(layer.name, "layer 0");
        let qkv = &layer.children[2];
        assert_eq!(
            (qkv.name.as_str(), &qkv.shape[..]),
            ("h.0.attn.c_attn.weight", &[768, 2304][..])
        );
        let names: Vec<&str> = qkv
            .children
            .iter()
            .map(|child| child.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "blocks.0.attn.W_Q",
                "blocks.0.attn.W_K",
                "blocks.0.attn.W_V"
            ]
        );
        let tensors = model.children.iter().flat_map(|part| &part.children);
        assert!(tensors.clone().all(|tensor| tensor.weight.is_some()));
        assert_eq!(model.children[13].name, "output");
    }

    #[test]
    fn a_table_says_the_same_wherever_it_is() {
        let config = ModelConfig::preset("gpt2").unwrap();

        let model = SummaryNode::of_model(&config, &f32s);

        let cells = model.children[1].children[2].cells();
        let expected = [
            "h.0.attn.c_attn.weight",
            "768 × 2,304",
            "1,769,472",
            "6.75 MiB",
            "1.4 %",
        ];
        assert_eq!(cells, expected);
        assert_eq!(model.cells()[2..], ["124,439,808", "474.70 MiB", "100.0 %"]);
    }

    #[test]
    fn an_unembedding_of_its_own_is_of_the_output() {
        let config = ModelConfig {
            tie_word_embeddings: false,
            ..ModelConfig::preset("gpt2").unwrap()
        };

        let model = SummaryNode::of_model(&config, &f32s);

        let output = &model.children[13];
        let last = output.children.last().unwrap();
        assert_eq!(last.weight, Some(WeightPoint::Unembed));
        assert_eq!(model.parameters, 124_439_808 + 50_257 * 768);
    }

    #[test]
    fn tensors_take_what_each_is_stored_in() {
        let config = ModelConfig::preset("pythia-70m").unwrap();
        // Matrices of layers are quantised: 34 bytes for 32 numbers.
        let bytes_of = |spec: &WeightSpec| {
            let is_quantized = spec.shape.len() == 2 && spec.name.contains("layers");
            let n = spec.element_count() as u64;
            if is_quantized { n / 32 * 34 } else { 4 * n }
        };

        let model = SummaryNode::of_model(&config, &bytes_of);

        let all: u64 = config.weights().iter().map(bytes_of).sum();
        assert_eq!(model.bytes, all);
        let tensors = model.children.iter().flat_map(|part| &part.children);
        let qkv = tensors.clone().find(|tensor| tensor.children.len() == 3);
        let qkv = qkv.unwrap();
        assert_eq!(
            qkv.name,
            "gpt_neox.layers.0.attention.query_key_value.weight"
        );
        assert_eq!(qkv.bytes, 3 * 512 * 512 / 32 * 34);
        assert_eq!(qkv.children[1].bytes, 512 * 512 / 32 * 34);
    }

    #[test]
    fn a_tensor_belongs_to_the_layer_in_its_name() {
        assert_eq!(part_of("wte.weight", false), "embedding");
        assert_eq!(part_of("h.11.attn.c_attn.bias", true), "layer 11");
        assert_eq!(part_of("ln_f.weight", true), "output");
        assert_eq!(
            part_of("model.layers.7.mlp.up_proj.weight", true),
            "layer 7"
        );
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (354_823_168, "354,823,168"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn bytes_are_in_binary_units() {
        let texts = [0, 1023, 1024, 497_759_232, 6 << 30].map(human_bytes);

        assert_eq!(
            texts,
            ["0 B", "1023 B", "1.00 KiB", "474.70 MiB", "6.00 GiB"]
        );
    }
}
