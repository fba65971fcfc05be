//! The engine: streams layer by layer, loses nothing, ends when told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::Duration;

use common::{fixture, load, trace_tokens};
use llmscope::ablation::Ablation;
use llmscope::analysis::LensReading;
use llmscope::attribution::{IntegrationSettings, TargetWish};
use llmscope::engine::{
    Answer, EngineError, EngineHandle, EngineRequest, EngineUpdate, GradientExtent, LoadWatch,
    PauseReason, Prompt, Question, Study,
};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{LoadProgress, LoadSettings, Model, ModelError, ModelSource};
use llmscope::trace::Trace;

fn load_request(source: ModelSource) -> EngineRequest {
    EngineRequest::Load {
        source,
        settings: LoadSettings::default(),
    }
}

fn started() -> EngineHandle {
    let engine = EngineHandle::start().unwrap();
    engine
        .request(load_request(ModelSource::Folder(fixture("gpt2"))))
        .unwrap();
    engine
}

/// Everything up to and with the first update that `is_last` accepts.
fn updates_until(
    engine: &EngineHandle,
    is_last: impl Fn(&EngineUpdate) -> bool,
) -> Vec<EngineUpdate> {
    let mut updates = Vec::new();
    loop {
        let update = engine.wait_update().expect("the worker is alive");
        let is_end = is_last(&update);
        updates.push(update);
        if is_end {
            return updates;
        }
    }
}

fn is_pause(update: &EngineUpdate) -> bool {
    matches!(update, EngineUpdate::Paused(_))
}

fn is_pass_done(update: &EngineUpdate) -> bool {
    matches!(update, EngineUpdate::PassDone { .. })
}

fn trace_of(updates: &[EngineUpdate]) -> Trace {
    let mut trace = Trace::new(load("gpt2").config().clone());
    for update in updates {
        if let EngineUpdate::PassDone { pass, .. } = update {
            trace.push(pass.clone());
        }
    }
    trace
}

#[test]
fn a_pass_streams_layer_by_layer_and_in_order() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5, 6, 7])))
        .unwrap();

    let updates = updates_until(&engine, is_pass_done);

    let groups: Vec<Vec<HookPoint>> = updates
        .iter()
        .filter_map(|update| match update {
            EngineUpdate::Computed { values, .. } => {
                Some(values.iter().map(|(hook, _)| *hook).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(groups.len(), 5, "entrance, three layers, exit");
    for (index, group) in groups[1..4].iter().enumerate() {
        assert!(group.iter().all(|hook| hook.layer() == Some(index)));
    }
    let expected = load("gpt2").config().hook_points();
    assert_eq!(groups.concat(), expected);
}

#[test]
fn a_slow_reader_loses_nothing() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5, 6, 7])))
        .unwrap();
    engine.request(EngineRequest::Play(30)).unwrap();
    // Far more updates than the channel holds: the worker must wait for its reader.
    std::thread::sleep(Duration::from_millis(300));

    let updates = updates_until(&engine, is_pause);

    let trace = trace_of(&updates);
    assert_eq!(trace.len(), 33);
    let model = load("gpt2");
    let tokens: Vec<u32> = trace.tokens().collect();
    let whole = trace_tokens(&model, &[&tokens]);
    for hook in model.config().hook_points() {
        let got = trace.activation(hook).unwrap();
        let expected = whole.activation(hook).unwrap();
        for (got, expected) in got.values().iter().zip(expected.values()) {
            assert!(got == expected || (got - expected).abs() < 1e-3, "{hook}");
        }
    }
    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::Paused(PauseReason::Done))
    ));
}

#[test]
fn stop_ends_playing_and_the_text_can_go_on() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5])))
        .unwrap();
    engine.request(EngineRequest::Play(1_000)).unwrap();
    updates_until(&engine, is_pass_done);
    engine.request(EngineRequest::Stop).unwrap();

    let updates = updates_until(&engine, is_pause);
    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::Paused(PauseReason::Asked))
    ));

    engine.request(EngineRequest::Step).unwrap();
    let updates = updates_until(&engine, is_pass_done);
    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::PassDone { pass, .. }) if pass.first_pos < 63
    ));
}

#[test]
fn the_full_context_ends_playing() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![1; 60])))
        .unwrap();
    engine.request(EngineRequest::Play(100)).unwrap();

    let updates = updates_until(&engine, is_pause);

    assert_eq!(trace_of(&updates).len(), 64);
    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::Paused(PauseReason::ContextFull))
    ));
}

#[test]
fn failures_are_told_and_the_worker_goes_on() {
    let engine = EngineHandle::start().unwrap();
    let failure = |engine: &EngineHandle| {
        let is_failure = |update: &EngineUpdate| {
            matches!(
                update,
                EngineUpdate::Failed(_) | EngineUpdate::LoadFailed(_)
            )
        };
        match updates_until(engine, is_failure).into_iter().next_back() {
            Some(EngineUpdate::Failed(error) | EngineUpdate::LoadFailed(error)) => error,
            _ => unreachable!(),
        }
    };

    engine.request(EngineRequest::Step).unwrap();
    assert!(matches!(*failure(&engine), EngineError::NoModel));

    engine
        .request(load_request(ModelSource::Folder("no/such/folder".into())))
        .unwrap();
    assert!(matches!(
        *failure(&engine),
        EngineError::Model(ModelError::NoFile { .. })
    ));

    engine
        .request(load_request(ModelSource::Folder(fixture("gpt2"))))
        .unwrap();
    engine.request(EngineRequest::Step).unwrap();
    assert!(matches!(*failure(&engine), EngineError::NoPrompt));

    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![9_999])))
        .unwrap();
    assert!(matches!(
        *failure(&engine),
        EngineError::Model(ModelError::UnknownToken { .. })
    ));

    engine
        .request(EngineRequest::SetPrompt(Prompt::Text("The fox".into())))
        .unwrap();
    let updates = updates_until(&engine, is_pass_done);
    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::PassDone { text: Some(text), .. }) if text == "The fox"
    ));
}

#[test]
fn a_panic_while_loading_arrives_as_a_failure() {
    let engine = EngineHandle::start_with(|_, _, _| panic!("weights on fire")).unwrap();
    engine.request(load_request(ModelSource::Demo)).unwrap();

    let update = engine.wait_update().unwrap();

    assert!(matches!(
        update,
        EngineUpdate::LoadFailed(error)
            if matches!(&*error, EngineError::Panicked(message) if message == "weights on fire")
    ));
    engine.request(EngineRequest::Step).unwrap();
    assert!(matches!(
        engine.wait_update(),
        Some(EngineUpdate::Failed(_))
    ));
}

#[test]
fn the_lens_reads_every_layer_and_position_once_no_request_waits() {
    let engine = started();
    engine.request(EngineRequest::SetLens(true)).unwrap();
    // More than are read at once.
    let prompt: Vec<u32> = (0..39).collect();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(prompt)))
        .unwrap();
    engine.request(EngineRequest::Step).unwrap();

    let updates = updates_until(&engine, |update| matches!(update, EngineUpdate::LensDone));

    let place = |is_wanted: &dyn Fn(&EngineUpdate) -> bool| updates.iter().position(is_wanted);
    let first_read = place(&|update| matches!(update, EngineUpdate::Lens { .. })).unwrap();
    let step_done = place(
        &|update| matches!(update, EngineUpdate::PassDone { pass, .. } if pass.first_pos == 39),
    );
    assert!(first_read > step_done.unwrap(), "the step came first");
    let trace = trace_of(&updates);
    let model = load("gpt2");
    let mut n_read = 0;
    for update in &updates {
        let EngineUpdate::Lens {
            layer,
            first_pos,
            readings,
        } = update
        else {
            continue;
        };
        for (row, reading) in readings.iter().enumerate() {
            let hook = HookPoint::block(*layer, BlockSite::ResidPost);
            let token = trace.token(first_pos + row).unwrap();
            let logits = model.unembed(token.row(hook).unwrap()).unwrap();
            let last = token.row(HookPoint::Logits).unwrap();
            let expected = LensReading::of(&logits, last, 5);
            for (got, expected) in reading.top.iter().zip(&expected.top) {
                assert_eq!(got.token, expected.token);
                assert!((got.probability - expected.probability).abs() < 1e-5);
            }
            assert_eq!(reading.top.len(), expected.top.len());
            assert!((reading.entropy - expected.entropy).abs() < 1e-4);
            assert!((reading.kl - expected.kl).abs() < 1e-4);
            if *layer + 1 == model.config().n_layers {
                assert!(reading.kl < 1e-4, "{}", reading.kl);
            }
            n_read += 1;
        }
    }
    assert_eq!(n_read, 40 * model.config().n_layers);
}

#[test]
fn the_lens_reads_nothing_unless_asked_and_nothing_of_a_text_that_was_left() {
    let engine = started();
    let begin = |n_tokens: usize| {
        let prompt = Prompt::Tokens(vec![5; n_tokens]);
        engine.request(EngineRequest::SetPrompt(prompt)).unwrap();
    };
    begin(3);
    engine.request(EngineRequest::Play(1)).unwrap();
    let without = updates_until(&engine, is_pause);
    engine.request(EngineRequest::SetLens(true)).unwrap();
    begin(40);
    updates_until(&engine, is_pass_done);
    begin(2);
    updates_until(
        &engine,
        |update| matches!(update, EngineUpdate::PassStarted { tokens, .. } if tokens.len() == 2),
    );

    let with = updates_until(&engine, |update| matches!(update, EngineUpdate::LensDone));

    let n_read = |updates: &[EngineUpdate]| -> usize {
        let of = |update: &EngineUpdate| match update {
            EngineUpdate::Lens { readings, .. } => readings.len(),
            _ => 0,
        };
        updates.iter().map(of).sum()
    };
    assert_eq!(n_read(&without), 0);
    assert_eq!(n_read(&with), 2 * 3);
}

#[test]
fn dropping_the_handle_ends_the_thread_even_while_it_waits_for_its_reader() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5])))
        .unwrap();
    engine.request(EngineRequest::Play(1_000)).unwrap();
    updates_until(&engine, is_pass_done);
    let (ended, has_ended) = crossbeam_channel::bounded(1);

    let dropper = std::thread::Builder::new()
        .name("dropper".to_owned())
        .spawn(move || {
            drop(engine); // Joins the worker.
            ended.send(()).unwrap();
        })
        .unwrap();

    assert!(has_ended.recv_timeout(Duration::from_secs(20)).is_ok());
    dropper.join().unwrap();
}

fn study(id: u64, tokens: &[u32], question: Question) -> EngineRequest {
    EngineRequest::Study(Study {
        id,
        tokens: tokens.to_vec(),
        ablations: vec!["blocks.1.attn.hook_z:3".parse().unwrap()],
        question,
    })
}

fn is_study_done(update: &EngineUpdate) -> bool {
    matches!(update, EngineUpdate::StudyDone { .. })
}

#[test]
fn studies_are_answered_as_the_model_answers_them() {
    let engine = started();
    let model = load("gpt2");
    let tokens = [3, 1, 4, 1];
    let wish = TargetWish {
        pos: Some(2),
        ..TargetWish::default()
    };
    let settings = IntegrationSettings {
        n_steps: 70,
        ..IntegrationSettings::default()
    };
    let extent = GradientExtent::Summary;
    let parts = ["blocks.1.attn.hook_z:3".parse().unwrap()];
    let questions = [
        Question::Gradients { wish, extent },
        Question::Integrated { wish, settings },
        Question::Direct { wish },
        Question::Ablation { wish },
    ];
    for (id, question) in (1..).zip(questions) {
        engine.request(study(id, &tokens, question)).unwrap();

        let updates = updates_until(&engine, is_study_done);

        let Some(EngineUpdate::StudyDone { id: of, answer }) = updates.last() else {
            panic!("the last update is the answer");
        };
        assert_eq!(*of, id);
        match answer.as_ref().unwrap() {
            Answer::Gradients(got) => {
                let is_wanted = |hook| extent.includes(hook);
                let expected = model.gradients(&tokens, &parts, wish, &is_wanted);
                assert_eq!(**got, expected.unwrap());
                assert!(got.gradients.contains_key(&HookPoint::Embed));
                let q = HookPoint::block(0, BlockSite::Q);
                assert!(!got.gradients.contains_key(&q));
            }
            Answer::Integrated(got) => {
                let expected = model.integrated_gradients(&tokens, &parts, wish, settings);
                assert_eq!(**got, expected.unwrap());
                let progress = updates.iter().filter_map(|update| match update {
                    EngineUpdate::StudyProgress { n_done, n_all, .. } => Some((*n_done, *n_all)),
                    _ => None,
                });
                let progress: Vec<_> = progress.collect();
                assert!(progress.len() > 2 && progress.is_sorted());
                assert!(progress.iter().all(|(_, n_all)| *n_all == 70));
            }
            Answer::Direct(got) => {
                assert_eq!(got.target.pos, 2);
                assert!((got.sum() - got.value).abs() < 1e-4);
            }
            Answer::Ablation(got) => {
                let expected = model.ablation_effect(&tokens, &parts, wish);
                assert_eq!(**got, expected.unwrap());
            }
        }
    }
}

#[test]
fn a_study_waits_for_requests_can_be_forgotten_and_says_why_it_can_not_be_answered() {
    let engine = started();
    let settings = IntegrationSettings {
        n_steps: 1_000_000,
        ..IntegrationSettings::default()
    };
    let wish = TargetWish::default();
    let endless = Question::Integrated { wish, settings };
    engine.request(study(1, &[3, 1], endless)).unwrap();
    updates_until(&engine, |update| {
        matches!(update, EngineUpdate::StudyProgress { .. })
    });

    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5])))
        .unwrap();
    updates_until(&engine, is_pass_done);
    engine.request(EngineRequest::CancelStudy(1)).unwrap();
    engine
        .request(study(2, &[], Question::Direct { wish }))
        .unwrap();
    let updates = updates_until(&engine, is_study_done);

    let Some(EngineUpdate::StudyDone { id, answer }) = updates.last() else {
        panic!("the last update is the answer");
    };
    assert_eq!(*id, 2, "the first was forgotten");
    let message = answer.as_ref().unwrap_err().to_string();
    assert!(message.contains("no text"), "{message}");
}

#[test]
fn setting_parts_to_zero_computes_the_text_anew_and_steps_go_on_without_them() {
    let engine = started();
    let tokens: Vec<u32> = vec![3, 1, 4];
    let z = HookPoint::block(1, BlockSite::Z);
    let is_zero = |trace: &Trace, pos| {
        let row = trace.token(pos).unwrap().row(z).unwrap();
        row.iter().all(|value| *value == 0.0)
    };
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(tokens.clone())))
        .unwrap();
    engine.request(EngineRequest::Step).unwrap();
    let before = trace_of(&updates_until(
        &engine,
        |update| matches!(update, EngineUpdate::PassDone { pass, .. } if pass.first_pos == 3),
    ));
    let part = Ablation::new(z, None);
    engine
        .request(EngineRequest::SetAblations(vec![part]))
        .unwrap();
    let ablated = updates_until(&engine, is_pass_done);
    engine.request(EngineRequest::Step).unwrap();
    let step = updates_until(&engine, is_pass_done);
    engine
        .request(EngineRequest::SetAblations(Vec::new()))
        .unwrap();
    let restored = trace_of(&updates_until(&engine, is_pass_done));

    assert!(
        matches!(&ablated[0], EngineUpdate::Ablated(parts) if *parts == [part]),
        "{:?}",
        ablated[0]
    );
    let all: Vec<EngineUpdate> = ablated.into_iter().chain(step).collect();
    let all = trace_of(&all);
    assert!((0..5).all(|pos| is_zero(&all, pos)));
    let first: Vec<u32> = before.tokens().collect();
    assert_eq!(all.tokens().take(4).collect::<Vec<_>>(), first);
    assert!(!is_zero(&restored, 0));
    assert_eq!(restored.len(), 5);
    let logits = |trace: &Trace| {
        trace
            .token(2)
            .unwrap()
            .row(HookPoint::Logits)
            .unwrap()
            .to_vec()
    };
    let (restored, before) = (logits(&restored), logits(&before));
    assert!(
        restored
            .iter()
            .zip(&before)
            .all(|(r, b)| (r - b).abs() < 1e-4)
    );
}

#[test]
fn parts_that_are_not_there_change_nothing() {
    let engine = started();
    let missing = "blocks.9.attn.hook_z:3".parse().unwrap();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5])))
        .unwrap();
    updates_until(&engine, is_pass_done);

    engine
        .request(EngineRequest::SetAblations(vec![missing]))
        .unwrap();
    let updates = updates_until(&engine, |update| matches!(update, EngineUpdate::Failed(_)));
    engine.request(EngineRequest::Step).unwrap();

    let Some(EngineUpdate::Failed(error)) = updates.last() else {
        panic!("the last update is the failure");
    };
    assert!(error.to_string().contains("blocks.9"), "{error}");
    updates_until(&engine, is_pass_done);
}

#[test]
fn a_text_whose_new_pass_was_stopped_is_caught_up_with_by_the_next_step() {
    let engine = started();
    let part = Ablation::new(HookPoint::block(1, BlockSite::Z), Some(0));
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![5; 60])))
        .unwrap();
    updates_until(&engine, is_pass_done);
    // The second ends the first's pass, wherever it is.
    for parts in [vec![part], Vec::new(), vec![part]] {
        engine.request(EngineRequest::SetAblations(parts)).unwrap();
    }
    engine.request(EngineRequest::Stop).unwrap();
    engine.request(EngineRequest::Step).unwrap();

    let updates = updates_until(
        &engine,
        |update| matches!(update, EngineUpdate::PassDone { pass, .. } if pass.positions().end == 61),
    );

    let begins = updates
        .iter()
        .rposition(|u| matches!(u, EngineUpdate::PassStarted { first_pos: 0, .. }));
    let trace = trace_of(&updates[begins.unwrap()..]);
    assert_eq!(trace.len(), 61);
}

/// A load that takes until it is told to end, of any model but the embedded one.
fn load_slowly(
    source: &ModelSource,
    settings: &LoadSettings,
    watch: &mut LoadWatch<'_>,
) -> Result<Model, ModelError> {
    if *source == ModelSource::Demo {
        return Model::load_watched(source, settings, watch);
    }
    let mut done_bytes = 0;
    loop {
        done_bytes += 1;
        if watch(LoadProgress::reading(done_bytes % 50, 50)).is_break() {
            return Err(ModelError::Stopped);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn slow() -> ModelSource {
    ModelSource::Folder("takes/for/ever".into())
}

fn is_loaded(update: &EngineUpdate) -> bool {
    matches!(update, EngineUpdate::Loaded(_))
}

#[test]
fn while_another_model_is_loaded_the_one_there_is_goes_on_answering() {
    let engine = EngineHandle::start_with(load_slowly).unwrap();
    engine.request(load_request(ModelSource::Demo)).unwrap();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![1, 2])))
        .unwrap();
    updates_until(&engine, is_pass_done);

    engine.request(load_request(slow())).unwrap();
    updates_until(&engine, |update| matches!(update, EngineUpdate::Loading(_)));
    engine.request(EngineRequest::Step).unwrap();
    updates_until(&engine, is_pass_done);
    engine.request(EngineRequest::CancelLoad).unwrap();
    updates_until(&engine, |update| {
        matches!(update, EngineUpdate::LoadCancelled)
    });
    engine.request(EngineRequest::Step).unwrap();
    let updates = updates_until(&engine, is_pass_done);

    let is_of_load = |update: &EngineUpdate| matches!(update, EngineUpdate::Loading(_));
    assert!(
        !updates.iter().any(is_of_load),
        "nothing more is told of it"
    );
}

#[test]
fn a_load_that_fails_leaves_the_model_and_its_text() {
    let engine = started();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![1, 2])))
        .unwrap();
    updates_until(&engine, is_pass_done);

    engine
        .request(load_request(ModelSource::Folder("no/such/folder".into())))
        .unwrap();
    updates_until(&engine, |update| {
        matches!(update, EngineUpdate::LoadFailed(_))
    });
    engine.request(EngineRequest::Step).unwrap();
    let updates = updates_until(&engine, is_pass_done);

    assert!(matches!(
        updates.last(),
        Some(EngineUpdate::PassDone { pass, .. }) if pass.first_pos == 2
    ));
}

#[test]
fn of_two_loads_the_second_counts_and_what_waits_for_a_model_waits_for_it() {
    let engine = EngineHandle::start_with(load_slowly).unwrap();

    engine.request(load_request(slow())).unwrap();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(vec![1, 2])))
        .unwrap();
    engine.request(load_request(ModelSource::Demo)).unwrap();
    let loaded = updates_until(&engine, is_loaded);
    let computed = updates_until(&engine, is_pass_done);

    let is_failure = |update: &EngineUpdate| {
        matches!(
            update,
            EngineUpdate::Failed(_) | EngineUpdate::LoadFailed(_)
        )
    };
    assert!(!loaded.iter().chain(&computed).any(is_failure));
    assert!(matches!(
        loaded.last(),
        Some(EngineUpdate::Loaded(model)) if model.name == "demo"
    ));
}
