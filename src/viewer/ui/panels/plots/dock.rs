//! Where the views are: in tabs around the world, or torn off as windows.

mod arrangement;

use egui::{Margin, Rect, Ui, WidgetText, pos2, vec2};
use egui_dock::{
    DockArea, DockState, Node, NodePath, OverlayType, Split, Style, SurfaceIndex, TabPath,
    TabStyle, TabViewer,
};

use super::Plot;
use crate::color::Theme;
use crate::viewer::ui::theme;

pub use arrangement::{Arrangement, Part, Window};

/// What a tab shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    /// The world, which is always there.
    World,
    /// A view.
    Plot(Plot),
}

/// Where the views are.
pub struct Dock {
    state: DockState<Tab>,
    /// What it was last drawn into.
    area: Rect,
    /// Changes that were asked for between two frames.
    wishes: Vec<Wish>,
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    Toggle(Plot),
    Tear(Plot),
}

/// An area smaller than this, in points, has no room for views beside the world.
const LEAST_ROOM: egui::Vec2 = vec2(420.0, 300.0);
/// The share of the area that stays the world's when the first view opens beside it.
const WORLDS_WIDTH: f32 = 0.5;
/// The share of it that stays the world's when the first view opens below: the world is wide and low
/// itself, and a view needs room for more than its settings.
const WORLDS_HEIGHT: f32 = 0.42;
/// An area that much wider than high has its views at the right, else below.
const WIDE: f32 = 1.5;
/// Size of a view just torn off, in points.
const WINDOW_SIZE: egui::Vec2 = vec2(620.0, 480.0);

impl Default for Dock {
    fn default() -> Self {
        Self {
            state: DockState::new(vec![Tab::World]),
            area: Rect::ZERO,
            wishes: Vec::new(),
        }
    }
}

impl Dock {
    /// Opens the view, brings it to the front, or closes it if it is in front already; in the next
    /// frame.
    pub fn toggle(&mut self, plot: Plot) {
        self.wishes.push(Wish::Toggle(plot));
    }

    /// Makes a window of the view, or docks it again; in the next frame.
    pub fn tear(&mut self, plot: Plot) {
        self.wishes.push(Wish::Tear(plot));
    }

    /// Whether the view is open, in front or not.
    pub fn is_open(&self, plot: Plot) -> bool {
        self.find(plot).is_some()
    }

    /// Whether the view is open and in front of those it shares a place with.
    pub fn is_in_front(&self, plot: Plot) -> bool {
        self.find(plot).is_some_and(|path| {
            let leaf = self.state.leaf(path.node_path());
            leaf.is_ok_and(|leaf| leaf.active == path.tab)
        })
    }

    /// Whether the view is a window of its own.
    pub fn is_torn_off(&self, plot: Plot) -> bool {
        self.find(plot).is_some_and(|path| !path.surface.is_main())
    }

    /// Draws the open views, each by `draw`, and says which part they leave to the world.
    pub fn show(&mut self, ui: &mut Ui, theme: Theme, draw: &mut dyn FnMut(&mut Ui, Plot)) -> Rect {
        let area = ui.available_rect_before_wrap();
        self.area = area;
        for wish in std::mem::take(&mut self.wishes) {
            match wish {
                Wish::Toggle(plot) => self.toggle_now(plot),
                Wish::Tear(plot) => self.tear_now(plot),
            }
        }
        let has_views = self.state.iter_all_tabs().nth(1).is_some();
        if !has_views || area.width() < LEAST_ROOM.x || area.height() < LEAST_ROOM.y {
            return area;
        }
        let mut viewer = Viewer { world: area, draw };
        DockArea::new(&mut self.state)
            .style(style(ui, theme))
            .show_leaf_close_all_buttons(false)
            .show_leaf_collapse_buttons(false)
            .window_bounds(ui.ctx().content_rect())
            .show_inside(ui, &mut viewer);
        viewer.world
    }

    fn find(&self, plot: Plot) -> Option<TabPath> {
        self.state.find_tab(&Tab::Plot(plot))
    }

    fn toggle_now(&mut self, plot: Plot) {
        match self.find(plot) {
            None => self.open(plot),
            Some(path) if self.is_in_front(plot) => {
                self.state.remove_tab(path);
            }
            Some(path) => self.bring_forward(path),
        }
    }

    fn bring_forward(&mut self, path: TabPath) {
        // The path was found just now.
        let result = self.state.set_active_tab(path);
        debug_assert!(result.is_ok(), "{path:?}");
        self.state.set_focused_node_and_surface(path.node_path());
    }

    /// Opens a view that is not open, where others are docked, or beside the world.
    fn open(&mut self, plot: Plot) {
        let tab = Tab::Plot(plot);
        let beside = self.state.iter_leaves().find_map(|(path, leaf)| {
            let has_world = leaf.tabs.contains(&Tab::World);
            (path.surface.is_main() && !has_world).then_some(path)
        });
        if let Some(path) = beside
            && let Ok(leaf) = self.state.leaf_mut(path)
        {
            leaf.append_tab(tab);
            self.state.set_focused_node_and_surface(path);
            return;
        }
        let Some(world) = self.state.find_tab(&Tab::World) else {
            return; // It is never closed.
        };
        let (split, share) = if self.area.width() > WIDE * self.area.height() {
            (Split::Right, WORLDS_WIDTH)
        } else {
            (Split::Below, WORLDS_HEIGHT)
        };
        self.state
            .split(world.node_path(), split, share, Node::leaf(tab));
    }

    fn tear_now(&mut self, plot: Plot) {
        match self.find(plot) {
            Some(path) if path.surface.is_main() => {
                let size = WINDOW_SIZE.min(0.8 * self.area.size());
                let corner = self.area.center() - 0.5 * size;
                self.state
                    .detach_tab(path, Rect::from_min_size(corner, size));
            }
            Some(path) => {
                self.state.remove_tab(path);
                self.open(plot);
            }
            None => {
                self.open(plot);
                self.tear_now(plot);
            }
        }
    }

    /// How the views are arranged, in words and numbers.
    pub fn arrangement(&self) -> Arrangement {
        let surfaces = self.state.iter_surfaces_indexed();
        let mut windows = Vec::new();
        let mut main = None;
        for (index, surface) in surfaces {
            let Some(tree) = surface.node_tree() else {
                continue;
            };
            let part = arrangement::part_of(tree, egui_dock::NodeIndex::root());
            if index.is_main() {
                main = part;
            } else if let (egui_dock::Surface::Window(_, state), Some(part)) = (surface, part) {
                let rect = if state.rect().is_finite() && state.rect().is_positive() {
                    state.rect()
                } else {
                    Rect::from_center_size(self.area.center(), WINDOW_SIZE)
                };
                windows.push(Window {
                    left: rect.min.x,
                    top: rect.min.y,
                    width: rect.width(),
                    height: rect.height(),
                    part,
                });
            }
        }
        Arrangement {
            main: main.unwrap_or_default(),
            windows,
        }
    }

    /// Arranges the views so. What is not known, or there twice, is left out; the world is there in
    /// any case.
    pub fn arrange(&mut self, arrangement: &Arrangement) {
        let (main, windows) = arrangement.cleaned();
        let mut state = DockState::new(vec![Tab::World]);
        arrangement::build(
            state.main_surface_mut(),
            egui_dock::NodeIndex::root(),
            &main,
        );
        for window in windows {
            let index = state.add_window(vec![Tab::World]);
            if let Some(tree) = state.get_surface_mut(index).and_then(|s| s.node_tree_mut()) {
                arrangement::build(tree, egui_dock::NodeIndex::root(), &window.part);
            }
            if let Some(placed) = state.get_window_state_mut(index) {
                placed.set_position(pos2(window.left, window.top));
                placed.set_size(vec2(window.width, window.height));
            }
        }
        state.set_focused_node_and_surface(NodePath::new(
            SurfaceIndex::main(),
            egui_dock::NodeIndex::root(),
        ));
        self.state = state;
    }
}

/// The tabs' contents.
struct Viewer<'a> {
    world: Rect,
    draw: &'a mut dyn FnMut(&mut Ui, Plot),
}

impl TabViewer for Viewer<'_> {
    type Tab = Tab;

    fn title(&mut self, tab: &mut Tab) -> WidgetText {
        match tab {
            Tab::World => "World".into(),
            Tab::Plot(plot) => plot.title().into(),
        }
    }

    fn ui(&mut self, ui: &mut Ui, tab: &mut Tab) {
        match *tab {
            Tab::World => self.world = ui.max_rect(),
            Tab::Plot(plot) => (self.draw)(ui, plot),
        }
    }

    fn id(&mut self, tab: &mut Tab) -> egui::Id {
        match tab {
            Tab::World => egui::Id::new("world"),
            Tab::Plot(plot) => egui::Id::new(plot.name()),
        }
    }

    fn on_tab_button(&mut self, tab: &mut Tab, response: &egui::Response) {
        let (title, is_plot) = match *tab {
            Tab::World => ("World", false),
            Tab::Plot(plot) => (plot.title(), true),
        };
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::WidgetType::SelectableLabel, true, title)
        });
        if let (true, Tab::Plot(plot)) = (is_plot, *tab) {
            response.clone().on_hover_text(format!(
                "{} ({}). Drag to move it, out of its row to tear it off.",
                plot.tip(),
                plot.key()
            ));
        }
    }

    fn is_closeable(&self, tab: &Tab) -> bool {
        *tab != Tab::World
    }

    fn allowed_in_windows(&self, tab: &mut Tab) -> bool {
        *tab != Tab::World
    }

    fn clear_background(&self, tab: &Tab) -> bool {
        *tab != Tab::World
    }

    fn scroll_bars(&self, _tab: &Tab) -> [bool; 2] {
        [false, false] // A view scrolls what is long in it, and keeps its headings.
    }

    fn tab_style_override(&self, tab: &Tab, global: &TabStyle) -> Option<TabStyle> {
        (*tab == Tab::World).then(|| {
            let mut style = global.clone();
            style.tab_body.inner_margin = Margin::ZERO;
            style.tab_body.stroke = egui::Stroke::NONE;
            style
        })
    }
}

/// Quiet: the ground of the panels, the names of those in front in strong type.
fn style(ui: &Ui, theme: Theme) -> Style {
    let neutrals = theme.neutrals();
    let (ground, road) = (theme::panel_fill(theme), theme::color(neutrals.road));
    let (strong, weak) = (theme::color(neutrals.text), theme::weak_text(theme));
    let mut style = Style::from_egui(ui.style());
    style.main_surface_border_stroke = egui::Stroke::NONE;
    style.separator.width = 3.0;
    style.separator.color_idle = road;
    style.separator.color_hovered = weak;
    style.separator.color_dragged = theme::accent(theme);
    style.tab_bar.bg_fill = ground;
    style.tab_bar.hline_color = road;
    style.tab_bar.height = 26.0;
    style.overlay.overlay_type = OverlayType::HighlightedAreas;
    style.overlay.selection_color = theme::accent(theme).gamma_multiply(0.35);
    style.tab.tab_body.bg_fill = ground;
    style.tab.tab_body.stroke = egui::Stroke::NONE;
    style.tab.tab_body.inner_margin = Margin::symmetric(10, 8);
    style.tab.spacing = 2.0;
    for (part, text, fill) in [
        (&mut style.tab.active, strong, road),
        (&mut style.tab.focused, strong, road),
        (&mut style.tab.inactive, weak, ground),
        (&mut style.tab.hovered, strong, ground),
        (&mut style.tab.active_with_kb_focus, strong, road),
        (&mut style.tab.focused_with_kb_focus, strong, road),
        (&mut style.tab.inactive_with_kb_focus, strong, ground),
    ] {
        part.bg_fill = fill;
        part.outline_color = egui::Color32::TRANSPARENT;
        part.text_color = text;
    }
    for part in [
        &mut style.tab.active_with_kb_focus,
        &mut style.tab.focused_with_kb_focus,
        &mut style.tab.inactive_with_kb_focus,
    ] {
        part.outline_color = theme::accent(theme);
    }
    style
}

#[cfg(test)]
mod tests;
