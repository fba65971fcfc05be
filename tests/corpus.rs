//! What the fuzzer once found worth keeping still comes as a value.

#[path = "../fuzz/src/case.rs"]
mod case;
mod common;

use std::fs;
use std::path::Path;

use common::checkpoints::try_load;
use llmscope::model::Precision;

#[test]
fn every_input_of_the_corpus_is_loaded_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let (mut n_loaded, mut n_refused) = (0, 0);
    for file in fs::read_dir(corpus).unwrap() {
        let input = fs::read(file.unwrap().path()).unwrap();
        let Some(source) = case::write(&input, folder.path()).unwrap() else {
            continue;
        };

        match try_load(&source, Precision::Auto) {
            Ok(_) => n_loaded += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                n_refused += 1;
            }
        }
    }
    // Both ways are there: it is no corpus of files that fall at the first hurdle.
    assert!(n_loaded >= 7 && n_refused >= 7, "{n_loaded} {n_refused}");
}
