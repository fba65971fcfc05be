//! Saved viewpoints: nine slots with names, kept from one run to the next.
//!
//! `anchor` ties a pose to the world so that it makes sense in another one, `file` keeps the slots
//! on disk. This file holds them while the program runs, and obeys what the user wants of them.

mod anchor;
mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bevy::prelude::*;

pub use anchor::AnchoredPose;
pub use file::{Kept, load, save};

use super::ViewerSystems;
use super::scene::SceneLayout;
use super::viewpoint::{CameraPose, CameraSettings, CameraWish, Screen, Viewpoint};

/// Holds the slots, and keeps them in the file if there is one.
pub struct SlotsPlugin;

impl Plugin for SlotsPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Slots>()
            .init_resource::<SlotsFile>()
            .init_resource::<CameraPose>()
            .add_message::<SlotWish>()
            .add_message::<SlotNews>()
            .add_systems(Startup, read_file)
            .add_systems(
                Update,
                obey_wishes
                    .after(ViewerSystems::Arrange)
                    .before(ViewerSystems::Camera),
            );
    }
}

/// How many slots there are: one for each digit key but 0.
pub const N_SLOTS: usize = 9;
/// The longest name, in letters.
pub const MAX_NAME: usize = 24;

/// Where a slot leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A viewpoint found from the layout.
    Standard(Viewpoint),
    /// A pose that the user saved.
    Saved(AnchoredPose),
}

/// A viewpoint with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// What the user calls it.
    pub name: String,
    /// Where it leads.
    pub place: Place,
}

impl Slot {
    /// A standard viewpoint under its own name.
    pub fn standard(viewpoint: Viewpoint) -> Self {
        Self {
            name: viewpoint.title().to_owned(),
            place: Place::Standard(viewpoint),
        }
    }
}

/// The slots by number, 1 to 9; those without an entry are empty.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Slots(BTreeMap<usize, Slot>);

impl Default for Slots {
    fn default() -> Self {
        let standard = (1..).zip(Viewpoint::ALL);
        Self(
            standard
                .map(|(number, viewpoint)| (number, Slot::standard(viewpoint)))
                .collect(),
        )
    }
}

impl Slots {
    /// The slot of that number; none if it is empty.
    pub fn get(&self, number: usize) -> Option<&Slot> {
        self.0.get(&number)
    }

    /// The slots that are not empty, by number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.0.iter().map(|(number, slot)| (*number, slot))
    }

    /// Puts a pose into a slot. A name that the user gave stays; a standard viewpoint's does not.
    pub fn save(&mut self, number: usize, pose: AnchoredPose) {
        if !(1..=N_SLOTS).contains(&number) {
            return;
        }
        let name = match self.0.remove(&number) {
            Some(Slot {
                name,
                place: Place::Saved(_),
            }) => name,
            _ => format!("View {number}"),
        };
        let place = Place::Saved(pose);
        self.0.insert(number, Slot { name, place });
    }

    /// Gives a slot another name, shortened to [`MAX_NAME`]; a blank one is not taken.
    pub fn rename(&mut self, number: usize, name: &str) {
        let name: String = name.trim().chars().take(MAX_NAME).collect();
        if let Some(slot) = self.0.get_mut(&number)
            && !name.is_empty()
        {
            slot.name = name;
        }
    }

    /// Empties a slot; where it had a standard viewpoint to begin with, that comes back.
    pub fn delete(&mut self, number: usize) {
        self.0.remove(&number);
        if let Some(viewpoint) = number.checked_sub(1).and_then(|i| Viewpoint::ALL.get(i)) {
            self.0.insert(number, Slot::standard(*viewpoint));
        }
    }
}

/// What the user wants of a slot.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum SlotWish {
    /// Fly there.
    GoTo(usize),
    /// Put the present pose there.
    Save(usize),
    /// Call it this.
    Rename(usize, String),
    /// Empty it.
    Delete(usize),
    /// Cuts instead of flights, or flights again.
    ReduceMotion(bool),
}

/// What there is to tell of the slots.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum SlotNews {
    /// Something that was asked for was done, or could not be.
    Note(String),
    /// The file failed.
    Failed(String),
}

/// The file that keeps the slots; none where nothing is kept.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotsFile(pub Option<PathBuf>);

fn read_file(
    mut file: ResMut<SlotsFile>,
    mut slots: ResMut<Slots>,
    mut settings: ResMut<CameraSettings>,
    mut news: MessageWriter<SlotNews>,
) {
    let Some(path) = &file.0 else { return };
    let loaded = load(path);
    if let Some(message) = loaded.message {
        news.write(SlotNews::Failed(message));
    }
    settings.has_reduced_motion |= loaded.kept.has_reduced_motion;
    *slots = loaded.kept.slots;
    if !loaded.may_be_replaced {
        file.0 = None;
    }
}

fn obey_wishes(
    mut wishes: MessageReader<SlotWish>,
    mut slots: ResMut<Slots>,
    mut settings: ResMut<CameraSettings>,
    file: Res<SlotsFile>,
    layout: Res<SceneLayout>,
    screen: Res<Screen>,
    pose: Res<CameraPose>,
    mut camera: MessageWriter<CameraWish>,
    mut news: MessageWriter<SlotNews>,
) {
    let mut changes = Vec::new();
    for wish in wishes.read() {
        match wish {
            SlotWish::GoTo(number) => match (slots.get(*number), layout.as_ref().as_ref()) {
                (Some(slot), Some(layout)) => {
                    camera.write(match &slot.place {
                        Place::Standard(viewpoint) => CameraWish::GoTo(*viewpoint),
                        Place::Saved(saved) => CameraWish::LookAt(saved.pose(layout, &screen)),
                    });
                }
                (None, _) => {
                    news.write(SlotNews::Note(format!(
                        "Viewpoint {number} is empty; Ctrl+{number} saves this view there"
                    )));
                }
                (Some(_), None) => {}
            },
            SlotWish::Save(number) => {
                if let (Some(layout), Some(pose)) = (layout.as_ref().as_ref(), pose.0) {
                    slots.save(*number, AnchoredPose::new(&pose, layout));
                    changes.push(format!("This view is saved as viewpoint {number}"));
                }
            }
            SlotWish::Rename(number, name) => {
                slots.rename(*number, name);
                changes.push(format!("Viewpoint {number} is renamed"));
            }
            SlotWish::Delete(number) => {
                slots.delete(*number);
                changes.push(format!("Viewpoint {number} is deleted"));
            }
            SlotWish::ReduceMotion(is_reduced) => {
                settings.has_reduced_motion = *is_reduced;
                changes.push("Ready".to_owned());
            }
        }
    }
    let Some(change) = changes.pop() else { return };
    let kept = Kept {
        slots: slots.clone(),
        has_reduced_motion: settings.has_reduced_motion,
    };
    let result = file.0.as_deref().map_or(Ok(()), |path| save(path, &kept));
    news.write(match result {
        Ok(()) => SlotNews::Note(change),
        Err(error) => SlotNews::Failed(error.to_string()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::layout::ModelLayout;

    fn saved() -> AnchoredPose {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let pose = Viewpoint::Heads.pose(&layout, &Screen::default());
        AnchoredPose::new(&pose, &layout)
    }

    #[test]
    fn the_standard_viewpoints_fill_the_first_six_slots() {
        let slots = Slots::default();

        let names: Vec<_> = slots
            .iter()
            .map(|(n, slot)| (n, slot.name.as_str()))
            .collect();
        let expected = ["Overview", "Layer", "Heads", "Neurons", "Street", "Map"];
        assert_eq!(names, (1..).zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn a_saved_slot_can_be_renamed_and_saved_over_under_its_name() {
        let mut slots = Slots::default();
        slots.save(2, saved());
        assert_eq!(slots.get(2).unwrap().name, "View 2");

        slots.rename(2, "  The head that copies  ");
        slots.rename(2, "   ");
        slots.save(2, saved());
        slots.rename(8, "nobody");
        slots.save(10, saved());

        assert_eq!(slots.get(2).unwrap().name, "The head that copies");
        assert_eq!(slots.get(8), None);
        assert_eq!(slots.iter().count(), 6);
    }

    #[test]
    fn a_deleted_slot_is_empty_or_has_its_standard_viewpoint_again() {
        let mut slots = Slots::default();
        slots.save(2, saved());
        slots.save(9, saved());

        slots.delete(2);
        slots.delete(9);
        slots.delete(0);

        assert_eq!(slots, Slots::default());
    }
}
