//! The look of panels and labels: the same neutrals as the world's.

use egui::{Color32, CornerRadius, FontId, Stroke, TextStyle, Visuals};

use crate::color::{Rgb, Theme};

/// A colour of the world as egui has it.
pub fn color(rgb: Rgb) -> Color32 {
    let [r, g, b] = rgb;
    Color32::from_rgb(r, g, b)
}

/// The panels' ground.
pub fn panel_fill(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(14, 17, 23),
        Theme::Light => Color32::from_rgb(250, 251, 252),
    }
}

/// The ground of a label in the world.
pub fn label_fill(theme: Theme) -> Color32 {
    match theme {
        // What lies below shows through, as little as type allows.
        Theme::Dark => Color32::from_black_alpha(200),
        Theme::Light => color(theme.neutrals().background),
    }
}

/// Text that steps back.
pub fn weak_text(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(139, 149, 167),
        Theme::Light => Color32::from_rgb(92, 101, 117),
    }
}

/// A colour of which only a share is left, so that over the ground it passes evenly from one to
/// the other: the renderer adds light, while egui's own fading halves the number that stands for it.
pub fn faded(color: Color32, share: f32) -> Color32 {
    let [r, g, b, a] = color.to_srgba_unmultiplied();
    let alpha = f32::from(a) / 255.0 * share;
    let [r, g, b] = [r, g, b].map(|part| {
        let light = egui::ecolor::linear_f32_from_gamma_u8(part);
        egui::ecolor::gamma_u8_from_linear_f32(light * alpha)
    });
    Color32::from_rgba_premultiplied(r, g, b, (255.0 * alpha).round() as u8)
}

/// Text that stands between weak and strong, by `strength` from 0 to 1.
pub fn text_of_strength(theme: Theme, strength: f32) -> Color32 {
    weak_text(theme).lerp_to_gamma(color(theme.neutrals().text), strength)
}

/// Text on a cell of this colour: whichever of dark and light stands out more.
pub fn ink_on(rgb: Rgb) -> Color32 {
    let [r, g, b] = rgb.map(|part| (f32::from(part) / 255.0).powf(2.2));
    let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    // Here contrast with black passes that with white.
    if luminance > 0.18 {
        Color32::from_rgb(8, 9, 12)
    } else {
        Color32::from_rgb(250, 251, 252)
    }
}

/// What failed.
pub fn failure_text(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(255, 138, 128),
        Theme::Light => Color32::from_rgb(178, 34, 34),
    }
}

/// What is chosen or runs.
pub fn accent(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(126, 205, 195),
        Theme::Light => Color32::from_rgb(24, 118, 110),
    }
}

/// Text on the accent.
pub fn on_accent(theme: Theme) -> Color32 {
    panel_fill(theme).to_opaque()
}

/// Makes egui look like the theme.
pub fn apply(context: &egui::Context, theme: Theme) {
    let neutrals = theme.neutrals();
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    visuals.panel_fill = panel_fill(theme);
    visuals.window_fill = panel_fill(theme);
    visuals.window_stroke = Stroke::new(1.0, color(neutrals.road));
    visuals.override_text_color = Some(color(neutrals.text));
    visuals.selection.bg_fill = accent(theme).gamma_multiply(0.45);
    visuals.selection.stroke = Stroke::new(1.0, color(neutrals.text));
    visuals.slider_trailing_fill = true;
    let radius = CornerRadius::same(4);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = radius;
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, color(neutrals.road));
    visuals.widgets.inactive.weak_bg_fill = color(neutrals.road);
    visuals.widgets.inactive.bg_fill = color(neutrals.road);
    context.set_visuals(visuals);
    context.all_styles_mut(|style| {
        style.animation_time = 0.0;
        // It would fade to another theme's ground.
        style.spacing.scroll.fade.strength = 0.0;
        for (text_style, size) in [
            (TextStyle::Small, 11.0),
            (TextStyle::Body, 13.5),
            (TextStyle::Button, 13.5),
            (TextStyle::Heading, 16.0),
        ] {
            style
                .text_styles
                .insert(text_style, FontId::proportional(size));
        }
        style
            .text_styles
            .insert(TextStyle::Monospace, FontId::monospace(12.5));
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(9.0, 4.0);
    });
}
