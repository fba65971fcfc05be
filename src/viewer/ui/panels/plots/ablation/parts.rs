//! The parts that are set to zero, and how others join them.

use egui::{Button, ComboBox, DragValue, Key, RichText, TextEdit, Ui};

use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::hook::{Axis, BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::head_map::head_cell;
use crate::viewer::ui::panels::plots::parts::note;
use crate::viewer::ui::theme;

/// The part of a pass that a number belongs to: its head where there are heads, its neuron, or its
/// dimension. Of keys and values that several heads share it is their own head.
pub fn part_of(cell: CellId, config: &ModelConfig) -> Ablation {
    let hook = cell.hook;
    let is_shared = config.n_heads_at(hook) < config.n_heads;
    let of_layer = |site| hook.layer().map(|layer| HookPoint::block(layer, site));
    let has_heads = hook.axes().contains(&Axis::Head);
    match hook.site() {
        _ if is_shared => Ablation::new(hook, Some(cell.head)),
        _ if has_heads => {
            let z = of_layer(BlockSite::Z).unwrap_or(hook);
            Ablation::new(z, Some(cell.head))
        }
        Some(BlockSite::MlpPre | BlockSite::MlpPreLinear) => {
            let post = of_layer(BlockSite::MlpPost).unwrap_or(hook);
            Ablation::new(post, Some(cell.index))
        }
        _ => Ablation::new(hook, Some(cell.index)),
    }
}

/// What kind of part is named with numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Head,
    /// The values of a head that several heads of queries share.
    SharedValues,
    Neuron,
    Attention,
    Mlp,
}

impl Kind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Head, "head"),
        (Self::SharedValues, "values of kv head"),
        (Self::Neuron, "neuron"),
        (Self::Attention, "all of attention"),
        (Self::Mlp, "all of the MLP"),
    ];

    fn title(self) -> &'static str {
        let own = Self::ALL.iter().find(|(kind, _)| *kind == self);
        own.map_or("", |(_, title)| title)
    }
}

/// The parts that are set to zero.
#[derive(Default)]
pub struct PartsSection {
    layer: usize,
    kind: Kind,
    index: usize,
    /// A part by its name.
    name: String,
    failure: Option<String>,
}

impl PartsSection {
    /// Draws the list, and the ways to add to it.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal(|ui| {
            let n = view.ablations.len();
            ui.label(RichText::new(counted(n)).strong());
            let restore = Button::new("Restore all").small();
            if ui.add_enabled(n > 0, restore).clicked() {
                intents.push(Intent::Ablate(Vec::new()));
            }
            if let Some(part) = pinned_part(view) {
                let is_zero = view.ablations.contains(&part);
                let verb = if is_zero { "Restore" } else { "Set to zero" };
                let button = Button::new(format!("{verb}: {}", part.title())).small();
                if ui
                    .add(button)
                    .on_hover_text("The pinned number's part (X)")
                    .clicked()
                {
                    toggle(view, part, intents);
                }
            }
        });
        list(ui, view, intents);
        ui.add_space(4.0);
        self.by_number(ui, view, config, intents);
        self.by_name(ui, view, config, intents);
    }

    fn by_number(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("layer");
            ui.add(DragValue::new(&mut self.layer).range(0..=config.n_layers.saturating_sub(1)))
                .labelled_by(label.id);
            ComboBox::from_id_salt("kind of part")
                .selected_text(self.kind.title())
                .width(120.0)
                .show_ui(ui, |ui| {
                    let all = Kind::ALL.into_iter().filter(|(kind, _)| {
                        *kind != Kind::SharedValues || config.has_shared_keys()
                    });
                    for (kind, title) in all {
                        ui.selectable_value(&mut self.kind, kind, title);
                    }
                });
            let count = match self.kind {
                Kind::Head => Some(config.n_heads),
                Kind::SharedValues => Some(config.n_kv_heads),
                Kind::Neuron => Some(config.d_mlp),
                Kind::Attention | Kind::Mlp => None,
            };
            if let Some(count) = count {
                let last = count.saturating_sub(1);
                let number = DragValue::new(&mut self.index).range(0..=last);
                ui.add(number.suffix(format!(" of {count}")));
            }
            if ui.button("Set to zero").clicked() {
                let part = self.numbered();
                self.add(view, config, part, intents);
            }
        });
    }

    fn numbered(&self) -> Ablation {
        let (site, index) = match self.kind {
            Kind::Head => (BlockSite::Z, Some(self.index)),
            Kind::SharedValues => (BlockSite::V, Some(self.index)),
            Kind::Neuron => (BlockSite::MlpPost, Some(self.index)),
            Kind::Attention => (BlockSite::AttnOut, None),
            Kind::Mlp => (BlockSite::MlpOut, None),
        };
        Ablation::new(HookPoint::block(self.layer, site), index)
    }

    fn by_name(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal(|ui| {
            let label = ui.label("or by name");
            let edit = TextEdit::singleline(&mut self.name)
                .hint_text("blocks.1.attn.hook_z:3")
                .desired_width(190.0);
            let edit = ui.add(edit).labelled_by(label.id);
            let is_entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let is_clicked = ui.button("Add").clicked();
            if edit.changed() {
                self.failure = None;
            }
            if (is_entered || is_clicked) && !self.name.trim().is_empty() {
                match self.name.trim().parse::<Ablation>() {
                    Ok(part) => self.add(view, config, part, intents),
                    Err(error) => self.failure = Some(error.to_string()),
                }
            }
        });
        if let Some(failure) = &self.failure {
            ui.colored_label(theme::failure_text(view.theme), failure);
        }
    }

    fn add(
        &mut self,
        view: &PlotView<'_>,
        config: &ModelConfig,
        part: Ablation,
        intents: &mut Vec<Intent>,
    ) {
        match part.check(config) {
            Ok(()) => {
                self.failure = None;
                self.name.clear();
                if !view.ablations.contains(&part) {
                    toggle(view, part, intents);
                }
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }
}

/// How many parts there are, in words.
pub fn counted(n: usize) -> String {
    match n {
        0 => "Nothing is set to zero".to_owned(),
        1 => "1 part set to zero".to_owned(),
        n => format!("{n} parts set to zero"),
    }
}

/// A row for each part.
fn list(ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
    for part in view.ablations {
        ui.horizontal(|ui| {
            let remove = ui.small_button("×");
            remove.widget_info(|| {
                let text = format!("Restore {}", part.title());
                egui::WidgetInfo::labeled(egui::WidgetType::Button, true, text)
            });
            if remove.on_hover_text("Restore").clicked() {
                toggle(view, *part, intents);
            }
            let name = Button::new(RichText::new(part.title()).strong()).frame(false);
            if ui.add(name).on_hover_text("Show it in the world").clicked()
                && let Some(cell) = cell_of(view, part)
            {
                intents.push(Intent::Pin(cell));
            }
            note(ui, view.theme, part.to_string());
        });
    }
}

/// A number that stands for a part in the world.
fn cell_of(view: &PlotView<'_>, part: &Ablation) -> Option<Cell> {
    let pos = view.lane()?;
    let index = part.index.unwrap_or(0);
    match (part.hook.site(), part.hook.layer()) {
        (Some(BlockSite::Z), Some(layer)) => Some(head_cell(view, layer, index, pos)),
        _ => {
            let has_heads = part.hook.axes().contains(&Axis::Head);
            let (head, index) = if has_heads { (index, 0) } else { (0, index) };
            Some(Cell::Value(CellId {
                hook: part.hook,
                pos,
                head,
                index,
            }))
        }
    }
}

/// The pinned number's part, if it can be set to zero.
fn pinned_part(view: &PlotView<'_>) -> Option<Ablation> {
    let Some(Cell::Value(cell)) = view.pinned else {
        return None;
    };
    let config = &view.model?.config;
    let part = part_of(cell, config);
    part.check(config).is_ok().then_some(part)
}

fn toggle(view: &PlotView<'_>, part: Ablation, intents: &mut Vec<Intent>) {
    intents.push(Intent::Ablate(toggled(view.ablations, part)));
}

/// The parts with this one if it is not among them, else without it.
pub fn toggled(parts: &[Ablation], part: Ablation) -> Vec<Ablation> {
    let mut parts = parts.to_vec();
    match parts.iter().position(|other| *other == part) {
        Some(index) => drop(parts.remove(index)),
        None => parts.push(part),
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(hook: HookPoint, head: usize, index: usize) -> CellId {
        CellId {
            hook,
            pos: 2,
            head,
            index,
        }
    }

    #[test]
    fn a_number_belongs_to_its_head_its_neuron_or_its_dimension() {
        let config = ModelConfig::preset("gpt2").unwrap();
        let at = |site| HookPoint::block(1, site);
        for (site, part) in [
            (BlockSite::Pattern, "blocks.1.attn.hook_z:3"),
            (BlockSite::Q, "blocks.1.attn.hook_z:3"),
            (BlockSite::V, "blocks.1.attn.hook_z:3"),
            (BlockSite::Z, "blocks.1.attn.hook_z:3"),
            (BlockSite::MlpPre, "blocks.1.mlp.hook_post:5"),
            (BlockSite::MlpPost, "blocks.1.mlp.hook_post:5"),
            (BlockSite::ResidMid, "blocks.1.hook_resid_mid:5"),
        ] {
            let own = part_of(cell(at(site), 3, 5), &config);
            assert_eq!(own.to_string(), part);
        }
    }

    #[test]
    fn shared_keys_and_values_are_parts_of_their_own() {
        let config = ModelConfig::preset("llama-3-8b").unwrap();
        for (site, part) in [
            (BlockSite::RotQ, "blocks.1.attn.hook_z:3"),
            (BlockSite::K, "blocks.1.attn.hook_k:3"),
            (BlockSite::RotK, "blocks.1.attn.hook_rot_k:3"),
            (BlockSite::V, "blocks.1.attn.hook_v:3"),
            (BlockSite::MlpPreLinear, "blocks.1.mlp.hook_post:5"),
        ] {
            let own = part_of(cell(HookPoint::block(1, site), 3, 5), &config);
            assert_eq!(own.to_string(), part);
            assert_eq!(own.check(&config), Ok(()));
        }
        let beyond = Ablation::new(HookPoint::block(1, BlockSite::V), Some(8));
        assert!(beyond.check(&config).is_err(), "8 heads are shared by 32");
    }

    #[test]
    fn a_part_is_added_once_and_the_second_time_restored() {
        let part = Ablation::new(HookPoint::block(0, BlockSite::Z), Some(1));
        let other = Ablation::new(HookPoint::Embed, Some(1));

        let both = toggled(&[other], part);

        assert_eq!(both, [other, part]);
        assert_eq!(toggled(&both, other), [part]);
    }
}
