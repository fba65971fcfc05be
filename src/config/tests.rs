//! What shapes are read from, and what they say of themselves.

use super::*;
use crate::weight::WeightPoint;

fn config_json(changes: &[(&str, Value)]) -> String {
    let mut json = serde_json::json!({
        "model_type": "gpt2", "n_layer": 3, "n_embd": 48, "n_head": 4, "n_positions": 64,
        "vocab_size": 384, "n_inner": null, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5, "bos_token_id": 0, "eos_token_id": 5000,
    });
    for (field, value) in changes {
        json[field] = value.clone();
    }
    json.to_string()
}

#[test]
fn published_sizes_have_their_published_parameter_counts() {
    let published = [
        ("distilgpt2", 81_912_576),
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("smollm-135m", 134_515_008),
        ("smollm-360m", 361_821_120),
        ("smollm-1.7b", 1_711_376_384),
        ("smollm2-135m", 134_515_008),
        ("smollm2-360m", 361_821_120),
        ("smollm2-1.7b", 1_711_376_384),
        ("tinyllama-1.1b", 1_100_048_384),
        ("llama-7b", 6_738_415_616),
        ("llama-13b", 13_015_864_320),
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-13b", 13_015_864_320),
        ("llama-2-70b", 68_976_648_192),
        ("llama-3-8b", 8_030_261_248),
        ("llama-3-70b", 70_553_706_496),
        ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.1-70b", 70_553_706_496),
        ("llama-3.2-1b", 1_235_814_400),
        ("llama-3.2-3b", 3_212_749_824),
        ("mistral-7b-v0.1", 7_241_732_096),
        ("mistral-7b-v0.3", 7_248_023_552),
        ("qwen2-0.5b", 494_032_768),
        ("qwen2-1.5b", 1_543_714_304),
        ("qwen2-7b", 7_615_616_512),
        ("qwen2.5-0.5b", 494_032_768),
        ("qwen2.5-1.5b", 1_543_714_304),
        ("qwen2.5-3b", 3_085_938_688),
        ("qwen2.5-7b", 7_615_616_512),
        ("qwen2.5-14b", 14_770_033_664),
        ("qwen2.5-32b", 32_763_876_352),
        ("qwen2.5-72b", 72_706_203_648),
        ("qwen3-0.6b", 596_049_920),
        ("qwen3-1.7b", 1_720_574_976),
        ("qwen3-4b", 4_022_468_096),
        ("qwen3-8b", 8_190_735_360),
        ("qwen3-14b", 14_768_307_200),
        ("qwen3-32b", 32_762_123_264),
        ("pythia-14m", 14_067_712),
        ("pythia-70m", 70_426_624),
        ("pythia-160m", 162_322_944),
        ("pythia-410m", 405_334_016),
        ("pythia-1b", 1_011_781_632),
        ("pythia-1.4b", 1_414_647_808),
        ("pythia-2.8b", 2_775_208_960),
        ("pythia-6.9b", 6_857_302_016),
        ("pythia-12b", 11_846_072_320),
        ("gpt-neox-20b", 20_554_567_680),
    ];
    assert!(ModelConfig::preset_names().eq(published.map(|(name, _)| name)));
    for (name, parameters) in published {
        let config = ModelConfig::preset(name).unwrap();

        assert_eq!(config.parameter_count(), parameters, "{name}");
    }
}

#[test]
fn gpt2_medium_has_384_heads_and_98304_neurons() {
    let config = ModelConfig::preset("gpt2-medium").unwrap();

    assert_eq!(config.n_layers * config.n_heads, 384);
    assert_eq!(config.n_layers * config.d_mlp, 98_304);
    assert_eq!(config.d_head, 64);
}

#[test]
fn hook_points_are_listed_in_order_and_without_repeats() {
    let config = ModelConfig::from_json(&config_json(&[])).unwrap();

    let hooks = config.hook_points();

    assert_eq!(hooks.len(), 2 + 3 * 15 + 2);
    assert!(hooks.is_sorted_by(|a, b| a < b));
    let block: Vec<String> = hooks[2..17].iter().map(ToString::to_string).collect();
    assert_eq!(
        block,
        [
            "blocks.0.hook_resid_pre",
            "blocks.0.ln1.hook_normalized",
            "blocks.0.attn.hook_q",
            "blocks.0.attn.hook_k",
            "blocks.0.attn.hook_v",
            "blocks.0.attn.hook_attn_scores",
            "blocks.0.attn.hook_pattern",
            "blocks.0.attn.hook_z",
            "blocks.0.hook_attn_out",
            "blocks.0.hook_resid_mid",
            "blocks.0.ln2.hook_normalized",
            "blocks.0.mlp.hook_pre",
            "blocks.0.mlp.hook_post",
            "blocks.0.hook_mlp_out",
            "blocks.0.hook_resid_post",
        ]
    );
}

#[test]
fn a_shape_reads_back_as_it_was_written() {
    let mut configs: Vec<ModelConfig> = ModelConfig::preset_names()
        .filter_map(ModelConfig::preset)
        .collect();
    configs.push(ModelConfig {
        d_mlp: 7,
        act_fn: ActFn::Gelu,
        layer_norm_eps: 1.25e-6,
        scale_attn_weights: false,
        scale_attn_by_inverse_layer_idx: true,
        tie_word_embeddings: false,
        bos_token_id: None,
        eos_token_ids: vec![3],
        ..configs[0].clone()
    });
    for config in configs {
        let text = config.to_json().to_string();

        assert_eq!(ModelConfig::from_json(&text), Ok(config));
    }
}

#[test]
fn absent_fields_have_the_defaults_of_transformers() {
    let config = ModelConfig::from_json(&config_json(&[])).unwrap();

    assert_eq!(config.d_mlp, 192);
    assert!(config.tie_word_embeddings);
    assert!(config.scale_attn_weights);
    assert!(!config.scale_attn_by_inverse_layer_idx);
    assert_eq!(config.bos_token_id, Some(0));
    assert!(config.eos_token_ids.is_empty(), "5000 is no token of 384");
}

#[test]
fn a_config_that_lies_is_refused_with_the_field_named() {
    let cases: [(&str, Value, &str); 14] = [
        ("n_head", 0.into(), "n_head is 0"),
        ("n_head", 5.into(), "multiple of n_head, which is 5"),
        ("n_head", (-4).into(), "n_head is -4"),
        ("n_head", 2.5.into(), "n_head is 2.5"),
        ("n_layer", 1_000_000_000.into(), "n_layer is 1000000000"),
        ("n_layer", Value::Null, "n_layer is null"),
        ("n_embd", "48".into(), "n_embd is \"48\""),
        ("vocab_size", 0.into(), "vocab_size is 0"),
        ("layer_norm_epsilon", (-1.0).into(), "layer_norm_epsilon"),
        ("activation_function", "relu".into(), "\"relu\""),
        (
            "reorder_and_upcast_attn",
            true.into(),
            "reorder_and_upcast_attn",
        ),
        ("add_cross_attention", true.into(), "add_cross_attention"),
        ("tie_word_embeddings", 1.into(), "tie_word_embeddings is 1"),
        (
            "model_type",
            "bert".into(),
            "the families that work are \"gpt2\", \"llama\", \"mistral\", \"qwen2\", \"qwen3\" and \"gpt_neox\"",
        ),
    ];
    for (field, value, expected) in cases {
        let error = ModelConfig::from_json(&config_json(&[(field, value)])).unwrap_err();

        assert!(error.to_string().contains(expected), "{field}: {error}");
    }
    assert!(matches!(
        ModelConfig::from_json("[]"),
        Err(ConfigError::NotJson(_))
    ));
    assert!(matches!(
        ModelConfig::from_json("{\"model_type\":"),
        Err(ConfigError::NotJson(_))
    ));
}

fn shapes() -> Vec<ModelConfig> {
    let shapes: Vec<ModelConfig> = ModelConfig::preset_names()
        .filter_map(ModelConfig::preset)
        .collect();
    assert!(shapes.len() > 40);
    shapes
}

#[test]
fn the_weights_are_all_parameters_and_no_other() {
    for config in shapes() {
        let n_parameters: u64 = config
            .weight_points()
            .into_iter()
            .filter(|weight| *weight != WeightPoint::Unembed || !config.tie_word_embeddings)
            .map(|weight| {
                let (rows, columns) = config.weight_slice(weight).shape();
                rows as u64 * columns as u64
            })
            .sum();

        assert_eq!(n_parameters, config.parameter_count(), "{config:?}");
    }
}

#[test]
fn every_slice_lies_within_a_tensor_of_the_checkpoint() {
    for name in [
        "gpt2",
        "llama-3.2-1b",
        "qwen2-0.5b",
        "qwen3-0.6b",
        "pythia-160m",
    ] {
        let config = ModelConfig::preset(name).unwrap();
        let specs = config.weights();

        for weight in config.weight_points() {
            let slice = config.weight_slice(weight);
            let spec = specs.iter().find(|spec| spec.name == slice.key);
            let spec = spec.unwrap_or_else(|| panic!("{name}: {}", slice.key));
            let n_columns = *spec.shape.last().unwrap();
            let n_rows = spec.element_count() / n_columns;
            assert!(slice.rows.index(slice.rows.len - 1) < n_rows, "{weight}");
            assert!(
                slice.columns.index(slice.columns.len - 1) < n_columns,
                "{weight}"
            );
        }
    }
}

#[test]
fn each_family_has_its_own_places() {
    let sites = |name: &str| -> Vec<String> {
        let config = ModelConfig::preset(name).unwrap();
        let hooks = config.hook_points().into_iter();
        let first = hooks.filter(|hook| hook.layer().is_none_or(|layer| layer == 0));
        first.map(|hook| hook.to_string()).collect()
    };

    let (gpt2, llama, pythia) = (sites("gpt2"), sites("llama-3-8b"), sites("pythia-70m"));

    let has = |sites: &[String], name: &str| sites.iter().any(|site| site.ends_with(name));
    assert!(has(&gpt2, "hook_pos_embed") && !has(&gpt2, "rot_q") && has(&gpt2, "resid_mid"));
    assert!(!has(&llama, "pos_embed") && has(&llama, "rot_k") && has(&llama, "pre_linear"));
    assert!(
        has(&pythia, "rot_k") && !has(&pythia, "resid_mid") && has(&pythia, "ln2.hook_normalized")
    );
}

#[test]
fn keys_and_values_have_their_own_number_of_heads() {
    let config = ModelConfig::preset("llama-3-8b").unwrap();
    let at = |site| HookPoint::block(0, site);

    assert_eq!(config.shape(at(BlockSite::Q), 5), [5, 32, 128]);
    assert_eq!(config.shape(at(BlockSite::K), 5), [5, 8, 128]);
    assert_eq!(config.shape(at(BlockSite::RotK), 5), [5, 8, 128]);
    assert_eq!(config.width(at(BlockSite::V)), 1024);
    assert_eq!(config.shape(at(BlockSite::Pattern), 5), [32, 5, 5]);
    assert_eq!(
        [0, 3, 4, 31].map(|head| config.kv_head_of(head)),
        [0, 0, 1, 7]
    );
}

#[test]
fn a_step_of_gpt2_takes_its_widths_and_its_rows_of_attention() {
    let config = ModelConfig::preset("gpt2").unwrap();

    let (first, last) = (config.step_bytes(0), config.step_bytes(1023));

    // 12 layers of 7 times 768 in the stream, 4 of heads, 2 times 3,072 neurons; 4 beside them.
    let widths = 12 * (11 * 768 + 2 * 3072) + 3 * 768 + 50_257;
    assert_eq!(first, 4 * (widths + 12 * 2 * 12));
    assert_eq!(last - first, 4 * 12 * 2 * 12 * 1023);
}

/// As published: older files have `rope_theta` and `rope_scaling` beside the other fields.
#[test]
fn older_rotary_fields_are_read_too() {
    let json = serde_json::json!({
        "model_type": "llama", "num_hidden_layers": 16, "hidden_size": 2048,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 8192,
        "max_position_embeddings": 131_072, "vocab_size": 128_256, "rms_norm_eps": 1e-5,
        "head_dim": 64, "tie_word_embeddings": true, "rope_theta": 500_000.0,
        "bos_token_id": 128_000, "eos_token_id": [128_001, 128_008],
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    });

    let config = ModelConfig::from_json(&json.to_string()).unwrap();

    let expected = ModelConfig {
        eos_token_ids: vec![128_001, 128_008],
        ..ModelConfig::preset("llama-3.2-1b").unwrap()
    };
    assert_eq!(config, expected);
    let again = ModelConfig::from_json(&config.to_json().to_string());
    assert_eq!(again.unwrap(), expected);

    let json = serde_json::json!({
        "model_type": "gpt_neox", "num_hidden_layers": 6, "hidden_size": 512,
        "num_attention_heads": 8, "intermediate_size": 2048, "max_position_embeddings": 2048,
        "vocab_size": 50_304, "layer_norm_eps": 1e-5, "rotary_pct": 0.25, "hidden_act": "gelu",
        "rotary_emb_base": 10_000, "use_parallel_residual": true, "tie_word_embeddings": false,
        "bos_token_id": 0, "eos_token_id": 0,
    });

    let config = ModelConfig::from_json(&json.to_string());

    assert_eq!(config.unwrap(), ModelConfig::preset("pythia-70m").unwrap());
}

#[test]
fn a_llama_that_lies_is_refused_with_the_field_named() {
    let cases: [(&str, Value, &str); 10] = [
        (
            "num_key_value_heads",
            3.into(),
            "multiple of num_key_value_heads, which is 3",
        ),
        ("num_key_value_heads", 0.into(), "num_key_value_heads is 0"),
        ("head_dim", 7.into(), "rotate pairs within"),
        ("rms_norm_eps", 2.into(), "rms_norm_eps is 2"),
        ("rope_theta", (-1).into(), "rope_theta is -1"),
        (
            "rope_scaling",
            serde_json::json!({"type": "yarn", "factor": 4}),
            "\"yarn\"",
        ),
        (
            "rope_scaling",
            serde_json::json!({"type": "linear"}),
            "lacks \"factor\"",
        ),
        ("rope_scaling", 3.into(), "rope_scaling is 3"),
        ("hidden_act", "relu".into(), "\"relu\""),
        (
            "max_position_embeddings",
            Value::Null,
            "max_position_embeddings is null",
        ),
    ];
    for (field, value, expected) in cases {
        let mut json = serde_json::json!({
            "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 32,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
            "max_position_embeddings": 64, "vocab_size": 100,
        });
        json[field] = value;

        let error = ModelConfig::from_json(&json.to_string()).unwrap_err();

        assert!(error.to_string().contains(expected), "{field}: {error}");
    }
}

#[test]
fn a_window_binds_the_layers_that_the_file_says() {
    let with = |family: &str, fields: Value| {
        let mut json = serde_json::json!({
            "model_type": family, "num_hidden_layers": 4, "hidden_size": 32,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
            "max_position_embeddings": 64, "vocab_size": 100, "head_dim": 8,
        });
        for (field, value) in fields.as_object().unwrap() {
            json[field] = value.clone();
        }
        let config = ModelConfig::from_json(&json.to_string()).unwrap();
        [0, 1, 2, 3].map(|layer| config.window_of(layer))
    };

    let mistral = with("mistral", serde_json::json!({"sliding_window": 16}));
    let unbound = with("mistral", serde_json::json!({"sliding_window": null}));
    let qwen2 = serde_json::json!({
        "sliding_window": 16, "use_sliding_window": true, "max_window_layers": 3
    });
    let bound = with("qwen2", qwen2);
    let unused = with("qwen2", serde_json::json!({"sliding_window": 16}));

    assert_eq!(mistral, [Some(16); 4]);
    assert_eq!(unbound, [None; 4]);
    assert_eq!(bound, [None, None, None, Some(16)]);
    assert_eq!(unused, [None; 4]);
}
