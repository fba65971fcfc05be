//! The models that were opened last, kept from one run to the next.

mod file;

use std::collections::BTreeSet;
use std::path::PathBuf;

use bevy::prelude::*;

use super::ViewerSystems;
use super::inference::{ActiveTrace, TraceEvent};
use crate::model::ModelSource;

/// Keeps [`Recents`] and their file up to date.
pub struct RecentsPlugin;

impl Plugin for RecentsPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Recents>()
            .init_resource::<RecentsFile>()
            .add_message::<RecentWish>()
            .add_message::<RecentNews>()
            .add_systems(Startup, read)
            .add_systems(
                Update,
                (note_models, obey_wishes)
                    .chain()
                    .after(ViewerSystems::Receive),
            );
    }
}

/// As many models are kept.
pub const MAX_RECENTS: usize = 12;

/// The models that were opened last, the newest first, by the names they are opened with.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Recents {
    names: Vec<String>,
    /// Those whose files were not there when they were last looked for.
    missing: BTreeSet<String>,
}

impl Recents {
    /// Each model's name and whether its files are there, the newest first. Of those on the Hub nobody
    /// knows until they are opened.
    pub fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names
            .iter()
            .map(|name| (name.as_str(), !self.missing.contains(name)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Puts a model first.
    pub fn note(&mut self, name: &str) {
        self.forget(name);
        self.names.insert(0, name.to_owned());
        self.names.truncate(MAX_RECENTS);
    }

    /// Leaves a model out.
    pub fn forget(&mut self, name: &str) {
        self.names.retain(|known| known != name);
        self.missing.remove(name);
    }

    /// Looks for the files of each model.
    pub fn check(&mut self) {
        let is_missing = |name: &&String| match name.parse() {
            Ok(ModelSource::Hub(_) | ModelSource::Demo) => false,
            _ => !PathBuf::from(name).exists(),
        };
        self.missing = self.names.iter().filter(is_missing).cloned().collect();
    }
}

/// What the user wants of the models opened last.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum RecentWish {
    /// Look for their files.
    Check,
    /// Leave this one out.
    Forget(String),
}

/// What is wrong with their file, for the user.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct RecentNews(pub String);

/// The file that keeps them; none where nothing is kept.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentsFile(pub Option<PathBuf>);

fn read(
    mut file: ResMut<RecentsFile>,
    mut recents: ResMut<Recents>,
    mut news: MessageWriter<RecentNews>,
) {
    let Some(path) = &file.0 else { return };
    let loaded = file::load(path);
    recents.names = loaded.kept;
    news.write_batch(loaded.message.map(RecentNews));
    if !loaded.may_be_replaced {
        file.0 = None;
    }
}

/// How a model is opened again from any folder; none for the one within the program.
fn lasting_name(name: &str) -> Option<String> {
    match name.parse() {
        Ok(ModelSource::Demo) => None,
        Ok(ModelSource::Hub(_)) => Some(name.to_owned()),
        _ => {
            let path = std::path::absolute(name).ok()?;
            path.exists().then(|| path.display().to_string())
        }
    }
}

fn note_models(
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    mut recents: ResMut<Recents>,
    mut file: ResMut<RecentsFile>,
    mut news: MessageWriter<RecentNews>,
) {
    let is_new = events
        .read()
        .filter(|event| matches!(event, TraceEvent::ModelLoaded))
        .count()
        > 0;
    let Some(model) = trace.model().filter(|_| is_new) else {
        return;
    };
    // A saved trace is no model.
    let name = model
        .weights
        .as_ref()
        .and_then(|_| lasting_name(&model.name));
    if let Some(name) = name
        && recents.names.first() != Some(&name)
    {
        recents.note(&name);
        keep(&recents, &mut file, &mut news);
    }
}

fn obey_wishes(
    mut wishes: MessageReader<RecentWish>,
    mut recents: ResMut<Recents>,
    mut file: ResMut<RecentsFile>,
    mut news: MessageWriter<RecentNews>,
) {
    for wish in wishes.read() {
        match wish {
            RecentWish::Check => recents.check(),
            RecentWish::Forget(name) => {
                recents.forget(name);
                keep(&recents, &mut file, &mut news);
            }
        }
    }
}

fn keep(recents: &Recents, file: &mut RecentsFile, news: &mut MessageWriter<RecentNews>) {
    let Some(path) = &file.0 else { return };
    if let Err(error) = file::save(path, &recents.names) {
        news.write(RecentNews(error.to_string()));
        file.0 = None; // Said once.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(recents: &Recents) -> Vec<&str> {
        recents.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_newest_is_first_each_is_there_once_and_the_oldest_fall_out() {
        let mut recents = Recents::default();
        for number in 0..20 {
            recents.note(&format!("org/m{number}"));
        }
        recents.note("org/m15");

        assert_eq!(names(&recents).len(), MAX_RECENTS);
        assert_eq!(names(&recents)[..3], ["org/m15", "org/m19", "org/m18"]);
        assert_eq!(names(&recents)[11], "org/m8");
        recents.forget("org/m15");
        assert_eq!(names(&recents)[0], "org/m19");
    }

    #[test]
    fn a_folder_that_is_gone_is_known_and_a_hub_name_is_never_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut recents = Recents::default();
        let there = folder.path().display().to_string();
        for name in ["/no/such/folder", &there, "org/name"] {
            recents.note(name);
        }

        recents.check();

        let missing: Vec<&str> = recents
            .iter()
            .filter(|(_, is_there)| !is_there)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(missing, ["/no/such/folder"]);
    }

    #[test]
    fn models_that_are_opened_are_kept_in_the_file_and_the_embedded_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recent.json");
        let run = |names: &[&str], wish: Option<RecentWish>| {
            let mut app = App::new();
            app.init_resource::<ActiveTrace>()
                .add_message::<TraceEvent>()
                .insert_resource(RecentsFile(Some(path.clone())))
                .add_plugins(RecentsPlugin);
            app.update();
            for name in names {
                let model = crate::model::Model::load(
                    &ModelSource::Demo,
                    &crate::model::LoadSettings::default(),
                    &mut |_| {},
                )
                .unwrap();
                let loaded = crate::engine::LoadedModel {
                    name: (*name).to_owned(),
                    config: model.config().clone(),
                    vocab: model.vocab().clone(),
                    weights: model.weights().cloned(),
                };
                let mut trace = app.world_mut().resource_mut::<ActiveTrace>();
                let event = trace.apply(crate::engine::EngineUpdate::Loaded(loaded));
                app.world_mut().write_message(event);
                app.update();
            }
            app.world_mut().write_message_batch(wish);
            app.update();
            app.world().resource::<Recents>().clone()
        };
        let here = folder.path().display().to_string();

        let first = run(&["demo", &here, "org/name"], None);
        let second = run(&[], Some(RecentWish::Forget("org/name".to_owned())));
        let third = run(&[], None);

        assert_eq!(names(&first), ["org/name", &*here]);
        assert_eq!(names(&second), [&*here]);
        assert_eq!(names(&third), [&*here]);
    }
}
