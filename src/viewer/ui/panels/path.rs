//! The camera's path on a timeline: recorded, played, and edited keyframe by keyframe.

use std::path::PathBuf;

use egui::{
    Align2, Button, ComboBox, DragValue, FontId, Id, Pos2, Rect, Response, RichText, Sense, Shape,
    Stroke, TextEdit, Ui, pos2, vec2,
};

use super::Intent;
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::viewer::camera_path::{Activity, Ease, Keyframe, PathDesk, PathWish};
use crate::viewer::ui::theme;

/// The camera's path on a timeline.
pub struct PathPanel {
    /// Whether it is there.
    pub is_open: bool,
    /// The keyframe whose settings are shown.
    selected: Option<usize>,
    /// The file that the path is saved to and loaded from.
    file: String,
}

impl Default for PathPanel {
    fn default() -> Self {
        Self {
            is_open: false,
            selected: None,
            file: "camera-path.json".to_owned(),
        }
    }
}

/// What the panel shows.
pub struct PathView<'a> {
    /// The path, and what is done with it.
    pub desk: &'a PathDesk,
    /// The model's shape, once there is one.
    pub config: Option<&'a ModelConfig>,
    /// The tensor of the number that was chosen.
    pub pinned: Option<HookPoint>,
    /// Dark or light.
    pub theme: Theme,
}

/// The timeline's height, in points.
const HEIGHT: f32 = 46.0;
/// The shortest timeline, in seconds.
const MIN_SPAN_SECS: f64 = 10.0;
/// Half a keyframe's diamond, in points.
const DIAMOND: f32 = 7.0;

impl PathPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        let n_keyframes = view.desk.path.keyframes().len();
        self.selected = self.selected.filter(|index| *index < n_keyframes);
        ui.horizontal(|ui| {
            self.buttons(ui, view, intents);
            self.files(ui, view, intents);
        });
        self.timeline(ui, view, intents);
        ui.horizontal(|ui| {
            ui.set_min_height(ui.spacing().interact_size.y);
            match self
                .selected
                .and_then(|index| Some((index, view.desk.path.keyframes().get(index)?)))
            {
                Some((index, keyframe)) => self.keyframe(ui, view, index, keyframe, intents),
                None => hint(ui, view),
            }
        });
    }

    fn buttons(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        ui.label(RichText::new("Camera path").strong());
        let has_path = !view.desk.path.keyframes().is_empty();
        let activity = view.desk.activity;
        let (record, play) = match activity {
            Activity::Record => ("⏹ Stop", "▶ Play"),
            Activity::Play => ("⏺ Record", "⏸ Pause"),
            Activity::Rest => ("⏺ Record", "▶ Play"),
        };
        let is_still = activity == Activity::Rest;
        for (title, hint, is_enabled, wish) in [
            (
                record,
                "Record where the camera goes, in place of this path",
                activity != Activity::Play,
                PathWish::ToggleRecord,
            ),
            (
                play,
                "Fly along the path",
                has_path && activity != Activity::Record,
                PathWish::TogglePlay,
            ),
            (
                "+ Keyframe",
                "Make a keyframe of this view, where the timeline stands",
                is_still,
                PathWish::Add,
            ),
            (
                "Clear",
                "Take all keyframes out",
                is_still && has_path,
                PathWish::Clear,
            ),
        ] {
            let button = ui
                .add_enabled(is_enabled, Button::new(title))
                .on_hover_text(hint);
            if button.clicked() {
                if wish == PathWish::Clear {
                    self.selected = None;
                }
                intents.push(Intent::Path(wish));
            }
        }
        ui.separator();
    }

    fn files(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        ui.add(
            TextEdit::singleline(&mut self.file)
                .id(Id::new("path_file"))
                .desired_width(170.0),
        )
        .on_hover_text("The file; `llmscope record --camera FILE.json` films along it");
        let file = self.file.trim();
        let is_still = view.desk.activity == Activity::Rest;
        let can_load = is_still && !file.is_empty();
        let can_save = can_load && !view.desk.path.keyframes().is_empty();
        let save = Button::new("Save");
        if ui
            .add_enabled(can_save, save)
            .on_hover_text("In place of what is there")
            .clicked()
        {
            intents.push(Intent::Path(PathWish::Save(PathBuf::from(file))));
        }
        let load = Button::new("Load");
        if ui
            .add_enabled(can_load, load)
            .on_hover_text("In place of this path")
            .clicked()
        {
            self.selected = None;
            intents.push(Intent::Path(PathWish::Load(PathBuf::from(file))));
        }
    }

    fn timeline(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        let size = vec2(ui.available_width(), HEIGHT);
        let (response, painter) = ui.allocate_painter(size, Sense::click_and_drag());
        let desk = view.desk;
        let scale = TimeScale::new(response.rect, desk);
        draw_axis(&painter, &scale, view.theme);
        if (response.clicked() || response.dragged())
            && desk.activity != Activity::Record
            && let Some(at) = response.interact_pointer_pos()
        {
            intents.push(Intent::Path(PathWish::Seek(scale.secs(at.x))));
        }
        for (index, keyframe) in desk.path.keyframes().iter().enumerate() {
            let at = scale.place(keyframe.at_secs);
            let handle = diamond_at(ui, at, index);
            if handle.clicked() || handle.drag_started() {
                self.selected = Some(index);
            }
            if handle.clicked() {
                intents.push(Intent::Path(PathWish::Seek(keyframe.at_secs)));
            }
            if handle.dragged()
                && let Some(pointer) = handle.interact_pointer_pos()
            {
                let at_secs = scale.secs(pointer.x);
                intents.push(Intent::Path(PathWish::Move { index, at_secs }));
            }
            let is_selected = self.selected == Some(index);
            draw_diamond(
                &painter,
                at,
                keyframe,
                is_selected || handle.hovered(),
                view.theme,
            );
        }
        let x = scale.place(desk.secs).x;
        let color = match desk.activity {
            Activity::Record => theme::failure_text(view.theme),
            _ => theme::accent(view.theme),
        };
        painter.vline(x, response.rect.y_range(), Stroke::new(2.0, color));
    }

    fn keyframe(
        &mut self,
        ui: &mut Ui,
        view: &PathView<'_>,
        index: usize,
        keyframe: &Keyframe,
        intents: &mut Vec<Intent>,
    ) {
        ui.label(RichText::new(format!("Keyframe {}", index + 1)).strong());
        let mut at_secs = keyframe.at_secs;
        let time = DragValue::new(&mut at_secs)
            .speed(0.05)
            .suffix(" s")
            .fixed_decimals(2);
        if ui.add(time).on_hover_text("When it is reached").changed() {
            intents.push(Intent::Path(PathWish::Move { index, at_secs }));
        }
        ComboBox::from_id_salt("path_ease")
            .selected_text(ease_title(keyframe.ease))
            .show_ui(ui, |ui| {
                for ease in Ease::ALL {
                    let is_chosen = keyframe.ease == ease;
                    if ui.selectable_label(is_chosen, ease_title(ease)).clicked() {
                        intents.push(Intent::Path(PathWish::Ease(index, ease)));
                    }
                }
            })
            .response
            .on_hover_text("How the camera comes there");
        self.look_at(ui, view, index, keyframe.look_at, intents);
        if ui.button("Set to this view").clicked() {
            intents.push(Intent::Path(PathWish::Take(index)));
        }
        if ui.button("Delete").clicked() {
            self.selected = None;
            intents.push(Intent::Path(PathWish::Remove(index)));
        }
    }

    fn look_at(
        &self,
        ui: &mut Ui,
        view: &PathView<'_>,
        index: usize,
        looks_at: Option<HookPoint>,
        intents: &mut Vec<Intent>,
    ) {
        let title = match looks_at {
            None => "Looks ahead".to_owned(),
            Some(hook) => format!("Looks at {hook}"),
        };
        let mut choose = |ui: &mut Ui, title: String, hook: Option<HookPoint>| {
            if ui.selectable_label(looks_at == hook, title).clicked() {
                intents.push(Intent::Path(PathWish::LookAt(index, hook)));
            }
        };
        ComboBox::from_id_salt("path_look_at")
            .selected_text(title)
            .width(210.0)
            .height(300.0)
            .show_ui(ui, |ui| {
                choose(ui, "Looks ahead".to_owned(), None);
                if let Some(pinned) = view.pinned {
                    choose(ui, format!("What is pinned: {pinned}"), Some(pinned));
                }
                let hooks = view.config.map(ModelConfig::hook_points);
                for hook in hooks.into_iter().flatten() {
                    choose(ui, hook.to_string(), Some(hook));
                }
            })
            .response
            .on_hover_text("The tensor that it looks at from there");
    }
}

fn hint(ui: &mut Ui, view: &PathView<'_>) {
    let text = match view.desk.activity {
        Activity::Record => "The camera is recorded: fly, then stop",
        Activity::Play => "The camera flies; take it with the mouse to stop",
        Activity::Rest if view.desk.path.keyframes().is_empty() => {
            "Record a flight, or make keyframes of views; a film flies along them with record --camera"
        }
        Activity::Rest => "Click a keyframe to change it, drag it to move it in time",
    };
    ui.colored_label(theme::weak_text(view.theme), text);
}

fn ease_title(ease: Ease) -> &'static str {
    match ease {
        Ease::Rest => "comes to rest",
        Ease::Through => "flies through",
        Ease::Cut => "cuts",
    }
}

/// Where times are on the timeline.
struct TimeScale {
    rect: Rect,
    span_secs: f64,
}

impl TimeScale {
    fn new(rect: Rect, desk: &PathDesk) -> Self {
        let end_secs = desk.path.duration_secs().max(desk.secs);
        Self {
            rect: rect.shrink2(vec2(DIAMOND + 2.0, 0.0)),
            span_secs: (1.15 * end_secs).max(MIN_SPAN_SECS),
        }
    }

    fn place(&self, secs: f64) -> Pos2 {
        let share = (secs / self.span_secs) as f32;
        pos2(
            self.rect.left() + share * self.rect.width(),
            self.rect.center().y + 8.0,
        )
    }

    fn secs(&self, x: f32) -> f64 {
        let share = (x - self.rect.left()) / self.rect.width().max(1.0);
        f64::from(share.clamp(0.0, 1.0)) * self.span_secs
    }
}

fn draw_axis(painter: &egui::Painter, scale: &TimeScale, theme: Theme) {
    let neutrals = theme.neutrals();
    let rect = scale.rect.expand2(vec2(DIAMOND + 2.0, 0.0));
    painter.rect_filled(rect, 4.0, theme::color(neutrals.road).gamma_multiply(0.4));
    let line = Stroke::new(1.0, theme::color(neutrals.line).gamma_multiply(0.6));
    let (ticks, _) = crate::analysis::round_numbers(0.0, scale.span_secs, 10);
    for secs in ticks {
        let at = scale.place(secs);
        painter.line_segment(
            [pos2(at.x, rect.top() + 15.0), pos2(at.x, rect.bottom())],
            line,
        );
        let text = format!("{} s", (secs * 100.0).round() / 100.0);
        let font = FontId::proportional(10.5);
        let weak = theme::weak_text(theme);
        painter.text(
            pos2(at.x, rect.top() + 2.0),
            Align2::CENTER_TOP,
            text,
            font,
            weak,
        );
    }
}

fn diamond_at(ui: &Ui, at: Pos2, index: usize) -> Response {
    let rect = Rect::from_center_size(at, vec2(2.0 * DIAMOND + 2.0, 2.0 * DIAMOND + 4.0));
    let handle = ui.interact(
        rect,
        Id::new(("path_keyframe", index)),
        Sense::click_and_drag(),
    );
    handle.widget_info(|| {
        egui::WidgetInfo::labeled(
            egui::WidgetType::Button,
            true,
            format!("keyframe {}", index + 1),
        )
    });
    handle
}

/// A diamond where the camera rests, a disc where it flies through, a square where it cuts.
fn draw_diamond(
    painter: &egui::Painter,
    at: Pos2,
    keyframe: &Keyframe,
    is_bright: bool,
    theme: Theme,
) {
    let fill = if is_bright {
        theme::accent(theme)
    } else {
        theme::color(theme.neutrals().text)
    };
    let stroke = Stroke::new(1.5, theme::panel_fill(theme));
    match keyframe.ease {
        Ease::Rest => {
            let corners = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)];
            let corners = corners.map(|(x, y)| at + DIAMOND * vec2(x, y)).to_vec();
            painter.add(Shape::convex_polygon(corners, fill, stroke));
        }
        Ease::Through => {
            painter.circle(at, 0.8 * DIAMOND, fill, stroke);
        }
        Ease::Cut => {
            let rect = Rect::from_center_size(at, egui::Vec2::splat(1.5 * DIAMOND));
            painter.rect(rect, 1.0, fill, stroke, egui::StrokeKind::Outside);
        }
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;
    use crate::layout::ModelLayout;
    use crate::viewer::slots::AnchoredPose;
    use crate::viewer::viewpoint::{Screen, Viewpoint};

    struct Stage {
        panel: PathPanel,
        desk: PathDesk,
        config: ModelConfig,
        wishes: Vec<PathWish>,
    }

    fn stage(n_keyframes: usize) -> Stage {
        let config = ModelConfig::preset("gpt2").unwrap();
        let layout = ModelLayout::new(&config, 3);
        let mut desk = PathDesk::default();
        for number in 0..n_keyframes {
            let pose = Viewpoint::ALL[number].pose(&layout, &Screen::default());
            desk.path.add(Keyframe {
                at_secs: 2.0 * number as f64,
                pose: AnchoredPose::new(&pose, &layout),
                ease: Ease::ALL[number % 3],
                look_at: None,
            });
        }
        Stage {
            panel: PathPanel::default(),
            desk,
            config,
            wishes: Vec::new(),
        }
    }

    fn harness(stage: Stage) -> Harness<'static, Stage> {
        Harness::builder().with_size([900.0, 160.0]).build_ui_state(
            |ui, stage: &mut Stage| {
                let view = PathView {
                    desk: &stage.desk,
                    config: Some(&stage.config),
                    pinned: Some(HookPoint::Logits),
                    theme: Theme::Dark,
                };
                let mut intents = Vec::new();
                stage.panel.ui(ui, &view, &mut intents);
                for intent in intents {
                    match intent {
                        Intent::Path(wish) => stage.wishes.push(wish),
                        other => panic!("{other:?} is not of the path"),
                    }
                }
            },
            stage,
        )
    }

    fn click(harness: &mut Harness<'static, Stage>, label: &str) {
        harness.get_by_label(label).click();
        harness.run();
    }

    #[test]
    fn an_empty_desk_offers_what_can_be_done_with_it() {
        let mut harness = harness(stage(0));

        click(&mut harness, "▶ Play");
        click(&mut harness, "Clear");
        click(&mut harness, "Save");
        assert_eq!(
            harness.state().wishes,
            [],
            "there is nothing to play or to save"
        );
        click(&mut harness, "⏺ Record");
        click(&mut harness, "+ Keyframe");
        click(&mut harness, "Load");

        let file = PathBuf::from("camera-path.json");
        assert_eq!(
            harness.state().wishes,
            [PathWish::ToggleRecord, PathWish::Add, PathWish::Load(file)]
        );
    }

    #[test]
    fn a_keyframe_is_chosen_and_all_of_it_can_be_changed() {
        let mut harness = harness(stage(3));
        click(&mut harness, "keyframe 2");
        assert_eq!(harness.state().wishes, [PathWish::Seek(2.0)]);

        harness.get_by_value("flies through").click();
        harness.run();
        click(&mut harness, "cuts");
        harness.get_by_value("Looks ahead").click();
        harness.run();
        click(&mut harness, "What is pinned: logits");
        click(&mut harness, "Set to this view");
        click(&mut harness, "Delete");

        assert_eq!(
            harness.state().wishes[1..],
            [
                PathWish::Ease(1, Ease::Cut),
                PathWish::LookAt(1, Some(HookPoint::Logits)),
                PathWish::Take(1),
                PathWish::Remove(1),
            ]
        );
    }

    #[test]
    fn a_keyframe_is_dragged_along_the_timeline() {
        let mut harness = harness(stage(2));
        let from = harness.get_by_label("keyframe 2").rect().center();
        let to = from + vec2(100.0, 0.0);

        harness.drag_at(from);
        harness.run();
        harness.hover_at(to);
        harness.run();
        harness.drop_at(to);
        harness.run();

        let moved = harness
            .state()
            .wishes
            .iter()
            .rev()
            .find_map(|wish| match wish {
                PathWish::Move { index: 1, at_secs } => Some(*at_secs),
                _ => None,
            });
        // The timeline shows ten seconds on 900 points.
        assert!((moved.unwrap() - 3.1).abs() < 0.2, "{moved:?}");
    }
}
