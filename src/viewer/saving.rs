//! Saves what was computed so far as a trace, beside the frames.

use std::path::{Path, PathBuf};
use std::thread;

use bevy::prelude::*;
use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::ViewerSystems;
use super::inference::ActiveTrace;
use super::session::SessionFacts;
use crate::ablation::Ablation;
use crate::hook::HookPoint;
use crate::model::{ModelSource, SamplerSettings};
use crate::trace::{
    About, Contents, LensReading, Sampling, SaveError, Trace, TraceWriter, part_of,
};

/// Obeys [`SaveTrace`] and tells what came of it.
pub struct SavingPlugin;

impl Plugin for SavingPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<SessionFacts>()
            .init_resource::<SavingFolder>()
            .init_resource::<Saving>()
            .add_message::<SaveTrace>()
            .add_message::<SavingNews>()
            .add_systems(
                Update,
                (begin_saving, hear_of_saving)
                    .chain()
                    .after(ViewerSystems::Receive),
            );
    }
}

/// Save the text so far as a trace, in a new file.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveTrace;

/// What has come of it, for the user.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum SavingNews {
    /// How far it is.
    Note(String),
    /// It failed.
    Failed(String),
}

/// Where traces are saved: where the program was started, unless a test says otherwise.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct SavingFolder(pub PathBuf);

/// A trace that is being saved, and what will be told of it.
#[derive(Resource, Default)]
struct Saving(Option<Receiver<SavingNews>>);

fn begin_saving(
    mut wishes: MessageReader<SaveTrace>,
    trace: Res<ActiveTrace>,
    facts: Res<SessionFacts>,
    folder: Res<SavingFolder>,
    mut saving: ResMut<Saving>,
    mut news: MessageWriter<SavingNews>,
) {
    if wishes.read().count() == 0 {
        return;
    }
    if saving.0.is_some() {
        news.write(SavingNews::Note(
            "A trace is being saved already".to_owned(),
        ));
        return;
    }
    let Some(session) = Session::of(&trace, facts.sampler) else {
        news.write(SavingNews::Note("There is nothing to save yet".to_owned()));
        return;
    };
    let path = free_path(&folder.0);
    let (sender, receiver) = bounded(1);
    news.write(SavingNews::Note(format!("Saving {} …", path.display())));
    let spawned = thread::Builder::new()
        .name("llmscope-saving".to_owned())
        .spawn(move || {
            // If the other side is gone, the window is closed and nobody asks.
            drop(sender.send(session.save(&path)));
        });
    match spawned {
        Ok(_) => saving.0 = Some(receiver),
        Err(error) => {
            news.write(SavingNews::Failed(format!(
                "The trace can't be saved: {error}"
            )));
        }
    }
}

fn hear_of_saving(mut saving: ResMut<Saving>, mut news: MessageWriter<SavingNews>) {
    let Some(receiver) = &saving.0 else {
        return;
    };
    let told = match receiver.try_recv() {
        Ok(told) => told,
        Err(TryRecvError::Empty) => return,
        Err(TryRecvError::Disconnected) => SavingNews::Failed(
            "Saving the trace failed; this is a fault of the program, please report it".to_owned(),
        ),
    };
    saving.0 = None;
    news.write(told);
}

/// The first name that no file has.
fn free_path(folder: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let path = folder.join(format!("llmscope-trace-{number}.safetensors"));
        if !path.exists() && !part_of(&path).exists() {
            return path;
        }
        number += 1;
    }
}

/// All that is to be saved, sharing its numbers with what is on show.
struct Session {
    contents: Contents,
    trace: Trace,
    lens: Vec<Vec<Option<LensReading>>>,
}

impl Session {
    /// What is computed so far; none before the first pass is complete.
    fn of(active: &ActiveTrace, sampler: SamplerSettings) -> Option<Self> {
        let (model, trace) = (active.model()?, active.trace()?);
        let first = trace.passes().first()?;
        let has_all = |hook: &HookPoint| {
            let mut passes = trace.passes().iter();
            passes.all(|pass| pass.cache.contains_key(hook))
        };
        let hooks = model.config.hook_points();
        let source: Option<ModelSource> = model.name.parse().ok();
        let revision = source.as_ref().and_then(ModelSource::revision);
        Some(Self {
            contents: Contents {
                about: About {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    model: model.name.clone(),
                    revision: revision.map(str::to_owned),
                    config: model.config.clone(),
                    prompt_tokens: first.tokens.clone(),
                    seed: sampler.seed,
                    sampling: Sampling {
                        temperature: sampler.temperature,
                        top_k: sampler.top_k,
                        top_p: sampler.top_p,
                    },
                    ablate: active.ablations().iter().map(Ablation::to_string).collect(),
                },
                hooks: hooks.into_iter().filter(has_all).collect(),
                has_lens: !active.lens_readings().is_empty(),
                vocab: model.vocab.clone(),
            },
            trace: trace.clone(),
            lens: active.lens_readings().to_vec(),
        })
    }

    fn save(self, path: &Path) -> SavingNews {
        match self.write(path) {
            Ok(()) => SavingNews::Note(format!(
                "Saved {} tokens as {}",
                self.trace.len(),
                path.display()
            )),
            Err(error) => {
                // All of it is still on show: nothing is lost with what is left of the file.
                drop(std::fs::remove_file(part_of(path)));
                SavingNews::Failed(match error {
                    SaveError::CutShort { failed, source, .. } => {
                        format!("Cannot write {}: {source}", failed.display())
                    }
                    other => format!("The trace is not saved: {other}"),
                })
            }
        }
    }

    fn write(&self, path: &Path) -> Result<(), SaveError> {
        let mut writer = TraceWriter::create(path, self.contents.clone(), false)?;
        for pass in self.trace.passes() {
            writer.append(pass, &|layer, pos| self.lens.get(layer)?.get(pos)?.as_ref())?;
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
    use crate::model::LoadSettings;
    use crate::trace::TraceFile;

    /// A text of the embedded model: a prompt of three tokens and a step.
    fn computed() -> ActiveTrace {
        let engine = EngineHandle::start().unwrap();
        for request in [
            EngineRequest::Load {
                source: ModelSource::Demo,
                settings: LoadSettings::default(),
            },
            EngineRequest::SetLens(true),
            EngineRequest::SetPrompt(Prompt::Tokens(vec![1, 2, 3])),
            EngineRequest::Step,
        ] {
            engine.request(request).unwrap();
        }
        let mut active = ActiveTrace::default();
        loop {
            let update = engine.wait_update().unwrap();
            let is_last = matches!(update, EngineUpdate::LensDone);
            active.apply(update);
            if is_last {
                return active;
            }
        }
    }

    fn app(folder: &Path, active: ActiveTrace) -> App {
        let mut app = App::new();
        app.insert_resource(active)
            .insert_resource(SavingFolder(folder.to_owned()))
            .add_plugins(SavingPlugin);
        app
    }

    /// Asks for a trace, and waits for what comes of it.
    fn save(app: &mut App) -> Vec<SavingNews> {
        app.world_mut().write_message(SaveTrace);
        let mut told = Vec::new();
        loop {
            app.update();
            let mut news = app.world_mut().resource_mut::<Messages<SavingNews>>();
            told.extend(news.drain());
            if app.world().resource::<Saving>().0.is_none() && !told.is_empty() {
                return told;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn what_is_on_show_is_saved_whole_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("llmscope-trace-1.safetensors");
        std::fs::write(&first, "mine").unwrap();
        let mut app = app(folder.path(), computed());
        let sampler = SamplerSettings {
            temperature: 0.5,
            seed: 3,
            ..SamplerSettings::default()
        };
        app.world_mut().resource_mut::<SessionFacts>().sampler = sampler;

        let told = save(&mut app);

        let second = folder.path().join("llmscope-trace-2.safetensors");
        let expected = format!("Saved 4 tokens as {}", second.display());
        assert_eq!(told.last(), Some(&SavingNews::Note(expected)));
        assert_eq!(std::fs::read(&first).unwrap(), b"mine");
        let saved = TraceFile::open(&second).unwrap().read(None).unwrap();
        let active = app.world().resource::<ActiveTrace>();
        assert_eq!(Some(&saved.trace), active.trace());
        assert_eq!(saved.lens, active.lens_readings());
        assert_eq!(saved.about.prompt_tokens, [1, 2, 3]);
        assert_eq!(
            (saved.about.seed, saved.about.sampling.temperature),
            (3, 0.5)
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_written_and_a_text_that_is_not_there_are_told() {
        let mut nowhere = app(Path::new("/no/such/folder"), computed());
        let mut nothing = app(Path::new(""), ActiveTrace::default());

        let failed = save(&mut nowhere);
        let empty = save(&mut nothing);

        assert!(matches!(failed.last(), Some(SavingNews::Failed(why)) if why.contains("folder")));
        assert_eq!(
            empty,
            [SavingNews::Note("There is nothing to save yet".to_owned())]
        );
    }
}
