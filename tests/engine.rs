//! The engine: streams layer by layer, loses nothing, ends when told.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::Duration;

use common::{fixture, load, trace_tokens};
use llmscope::analysis::top_candidates;
use llmscope::engine::{
    EngineError, EngineHandle, EngineRequest, EngineUpdate, PauseReason, Prompt,
};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{LoadSettings, ModelError, ModelSource};
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
        let updates = updates_until(engine, |update| matches!(update, EngineUpdate::Failed(_)));
        match updates.into_iter().next_back() {
            Some(EngineUpdate::Failed(error)) => error,
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
fn a_panic_in_the_worker_arrives_as_a_failure() {
    let engine = EngineHandle::start_with(|_, _, _| panic!("weights on fire")).unwrap();
    engine.request(load_request(ModelSource::Demo)).unwrap();

    let update = engine.wait_update().unwrap();

    assert!(matches!(
        update,
        EngineUpdate::Failed(error)
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
            top,
        } = update
        else {
            continue;
        };
        for (row, top) in top.iter().enumerate() {
            let hook = HookPoint::block(*layer, BlockSite::ResidPost);
            let token = trace.token(first_pos + row).unwrap();
            let logits = model.unembed(token.row(hook).unwrap()).unwrap();
            let expected = top_candidates(&logits, 5);
            for (got, expected) in top.iter().zip(&expected) {
                assert_eq!(got.token, expected.token);
                assert!((got.probability - expected.probability).abs() < 1e-5);
            }
            assert_eq!(top.len(), expected.len());
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
            EngineUpdate::Lens { top, .. } => top.len(),
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
