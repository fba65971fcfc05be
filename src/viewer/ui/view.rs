//! The data that panels show, gathered once a frame.

use std::collections::BTreeSet;

use crate::ablation::Ablation;
use crate::analysis::Candidate;
use crate::color::{Colormap, RangeEnd, RangeMode, RangeSettings, Scaling, Theme};
use crate::engine::{LoadedModel, PauseReason};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, Kind, ModelLayout};
use crate::trace::{TokenTrace, TraceUsage};
use crate::viewer::filming::Filming;
use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::{Playback, Playhead};
use crate::viewer::scene::{
    ArcChoice, Cloud, ColorBy, DrawList, MAX_MAGNITUDE, Pooling, Reduction, SQUARE_HEIGHT,
    SceneSettings, ValueTable, rise, shown_hooks, tensor_ranges,
};
use crate::viewer::slots::Slots;
use crate::viewer::tour::Run;

use super::labels::CellLook;

/// What the panels show.
pub struct UiView<'a> {
    /// The model, once it is loaded.
    pub model: Option<&'a LoadedModel>,
    /// A token's text as it can be shown, blanks made visible.
    pub token_text: &'a dyn Fn(u32) -> String,
    /// The token at every position.
    pub tokens: &'a [u32],
    /// What may follow the playhead's token.
    pub candidates: &'a [Candidate],
    /// Where the picture stands.
    pub playhead: Playhead,
    /// How it moves.
    pub playback: Playback,
    /// Hook points of a pass.
    pub n_orders: f32,
    /// The last hook point the signal has reached.
    pub stage: Option<HookPoint>,
    /// Whether a pass is being computed.
    pub is_computing: bool,
    /// Whether there are weights to run.
    pub can_run: bool,
    /// What happens.
    pub status: &'a str,
    /// What went wrong last.
    pub failure: Option<&'a str>,
    /// How far loading has come, 0 to 1 and in words.
    pub loading: Option<(f32, &'a str)>,
    /// Dark or light.
    pub theme: Theme,
    /// Whether there are arcs.
    pub has_arcs: bool,
    /// Weights below this have no arc.
    pub arc_threshold: f32,
    /// Which heads have arcs.
    pub arc_choice: &'a ArcChoice,
    /// What attention comes down to, seen from afar.
    pub reduction: Reduction,
    /// Whether what is pointed at is linked to what it is computed from.
    pub has_links: bool,
    /// Which values share a range, where it ends, and how values lie within it.
    pub ranges: RangeSettings,
    /// Kinds left out.
    pub hidden: &'a BTreeSet<Kind>,
    /// Values that are NaN or infinite.
    pub n_not_finite: usize,
    /// Whether a shape is shown that has no weights.
    pub is_shape: bool,
    /// What the colours mean.
    pub legend: &'a [LegendRow],
    /// The viewpoints under the digit keys.
    pub slots: &'a Slots,
    /// Whether the camera cuts instead of flying.
    pub has_reduced_motion: bool,
    /// The parts that are set to zero.
    pub ablations: &'a [Ablation],
    /// What colours and heights stand for.
    pub color_by: ColorBy,
    /// The guided tour, if one is under way.
    pub tour: Option<&'a Run>,
    /// The film under way.
    pub filming: &'a Filming,
    /// Whether the last film of the window can be made again.
    pub can_film_again: bool,
    /// What the recorded values take.
    pub usage: TraceUsage,
}

/// One colour map in use.
pub struct LegendRow {
    /// What it colours.
    pub title: &'static str,
    /// The map.
    pub map: Colormap,
    /// The values at its low end, middle and high end.
    pub ticks: [String; 3],
    /// Which values share the range.
    pub note: String,
}

/// The hook point that the signal has reached last.
pub(super) fn stage(trace: &ActiveTrace, order: f32) -> Option<HookPoint> {
    let hooks = trace.model()?.config.hook_points();
    let reached = (order.ceil() as usize).clamp(1, hooks.len()) - 1;
    hooks.get(reached).copied()
}

pub(super) fn pause_text(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Done => "Ready",
        PauseReason::Asked => "Stopped",
        PauseReason::EndOfText => "The model ended the text",
        PauseReason::EndOfTrace => {
            "The saved trace ends here: it has no weights to compute more with"
        }
        PauseReason::ContextFull => "The context is full: the model can read no more tokens",
    }
}

/// What the colours mean, with the ranges in use.
pub(super) fn legend(
    layout: Option<&ModelLayout>,
    values: &ValueTable,
    settings: &SceneSettings,
    parts: Option<&PartsLegend>,
) -> Vec<LegendRow> {
    let Some(layout) = layout else {
        return Vec::new();
    };
    let ranges = tensor_ranges(&shown_hooks(layout), values, settings.ranges);
    // Patterns have a map of their own.
    let limits = ranges
        .iter()
        .filter(|(hook, _)| !values.is_weights(**hook))
        .map(|(_, range)| range.range.limit);
    let low = limits.clone().fold(f32::INFINITY, f32::min);
    let high = limits.fold(0.0, f32::max);
    let end = match settings.ranges.end {
        RangeEnd::Quantile => "99 %",
        RangeEnd::Max => "greatest",
    };
    let whose = match settings.ranges.mode {
        RangeMode::PerTensor => "each tensor",
        RangeMode::PerLayer => "each layer",
        RangeMode::PerName => "each name",
        RangeMode::WholeModel => "the whole model",
    };
    let scale = match settings.ranges.scaling {
        Scaling::Linear => "linear",
        Scaling::SymLog => "logarithmic",
    };
    let limits = if high == 0.0 {
        format!("{scale}; limit: {end} of {whose}")
    } else if low == high {
        format!("{scale}; limit: {end} of {whose}, {}", number(high))
    } else {
        format!(
            "{scale}; limit: {end} of {whose}, {} to {}",
            number(low),
            number(high)
        )
    };
    if let Some(parts) = parts {
        return parts_legend(parts, &limits);
    }
    let stream = HookPoint::block(0, BlockSite::ResidPre);
    let stream = ranges.get(&stream).map_or(0.0, |range| range.max_rms);
    let block = values.attention().block();
    let reduced = match (settings.reduction, block) {
        (_, 1) => "linear; each row sums to 1".to_owned(),
        (Reduction::Max, _) => "linear; far: the greatest of what a pixel covers".to_owned(),
        (Reduction::Mean, _) => "linear; far: the mean of what a pixel covers".to_owned(),
    };
    vec![
        LegendRow {
            title: "Values, near",
            map: Colormap::Diverging,
            ticks: ["−limit", "0", "limit"].map(str::to_owned),
            note: limits,
        },
        LegendRow {
            title: "Attention weights, probabilities",
            map: Colormap::Sequential,
            ticks: ["0".to_owned(), "0.5".to_owned(), "1".to_owned()],
            note: reduced,
        },
        LegendRow {
            title: "Far: root mean square",
            map: Colormap::Magnitude,
            ticks: [
                "0".to_owned(),
                String::new(),
                if stream == 0.0 {
                    "greatest".to_owned()
                } else {
                    format!("{} (stream)", number(stream))
                },
            ],
            note: "linear; greatest of each name; scores: greatest magnitude".to_owned(),
        },
    ]
}

/// What the colours mean while they stand for parts in a prediction.
pub(super) struct PartsLegend {
    /// What they stand for.
    pub color_by: ColorBy,
    /// The target, or why there are no colours.
    pub target: String,
}

fn parts_legend(parts: &PartsLegend, limits: &str) -> Vec<LegendRow> {
    let title = match parts.color_by {
        ColorBy::Direct => "Direct attribution, logits",
        ColorBy::Value | ColorBy::Gradient => "Gradient × value, logits",
    };
    vec![
        LegendRow {
            title,
            map: Colormap::Diverging,
            ticks: ["−limit", "0", "limit"].map(str::to_owned),
            note: format!("{}; {limits}", parts.target),
        },
        LegendRow {
            title: "Far: root mean square of them",
            map: Colormap::Magnitude,
            ticks: ["0".to_owned(), String::new(), "greatest".to_owned()],
            note: "linear; greatest of each name; squares: greatest magnitude".to_owned(),
        },
        LegendRow {
            title: "Arcs: attention weights",
            map: Colormap::Sequential,
            ticks: ["0".to_owned(), "0.5".to_owned(), "1".to_owned()],
            note: "linear".to_owned(),
        },
    ]
}

/// What the colours of a projection's points mean.
pub(super) fn cloud_legend(cloud: &Cloud) -> LegendRow {
    LegendRow {
        title: "Points of the projection",
        map: Colormap::Magnitude,
        ticks: ["0".to_owned(), String::new(), number(cloud.greatest())],
        note: format!("linear; {}", cloud.value),
    }
}

/// A cell's exact value, and its box as the shaders draw it; none where no pass has recorded it.
pub(super) fn cell_look<'a>(
    cell: CellId,
    shown: &dyn Fn(usize) -> Option<TokenTrace<'a>>,
    has_weights: bool,
    layout: &ModelLayout,
    list: &DrawList,
) -> Option<CellLook> {
    let token = shown(cell.pos)?;
    let unit = list.uniform.height_unit;
    let Some(block) = layout.block(cell.hook) else {
        let band = layout.band(cell.hook)?;
        let square_unit = SQUARE_HEIGHT * layout.cell_rect(cell)?.size.x;
        let value = *token.attention_row(cell.hook, cell.head)?.get(cell.index)?;
        if has_weights && cell.hook.is_non_negative() {
            return Some(CellLook {
                value,
                height: square_unit.min(2.0 * unit) * value.min(1.0),
                color: Colormap::Sequential.color(list.theme, value),
            });
        }
        let order = band.order as u32;
        let drawn = list.fields.iter().find(|field| field.order == order)?;
        let unit = square_unit.min(unit);
        return Some(signed_look(value, drawn.value_scale, unit, list));
    };
    let index = cell.head * block.grid.n_per_head() + cell.index;
    let value = *token.row(cell.hook)?.get(index)?;
    let drawn = list.blocks.iter();
    let drawn = drawn
        .zip(&layout.blocks)
        .find(|(_, laid)| laid.hook == cell.hook)?
        .0;
    Some(signed_look(value, drawn.value_scale, unit, list))
}

fn signed_look(value: f32, scale: f32, unit: f32, list: &DrawList) -> CellLook {
    let scaling = match list.uniform.scaling {
        0 => Scaling::Linear,
        _ => Scaling::SymLog,
    };
    let place = scaling.place(value * scale);
    let height = if value.is_finite() {
        rise(place.abs().min(MAX_MAGNITUDE))
    } else {
        0.5
    };
    CellLook {
        value,
        height: height * unit,
        color: Colormap::Diverging.color(list.theme, 0.5 + 0.5 * place.clamp(-1.0, 1.0)),
    }
}

/// What the square beside the heads' patterns shows.
pub(super) fn pooled_title(choice: &ArcChoice) -> String {
    let pooling = match choice.pooling {
        Pooling::Mean => "mean",
        Pooling::Max => "max",
    };
    if choice.heads.is_empty() {
        return format!("{pooling} of heads");
    }
    if let (1, Some(head)) = (choice.heads.len(), choice.heads.first()) {
        return format!("chosen: head {head}");
    }
    let heads: Vec<String> = choice.heads.iter().map(ToString::to_string).collect();
    format!("{pooling} of {}", heads.join(", "))
}

/// A number for a label: three digits.
pub(super) fn number(value: f32) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (0.01..10_000.0).contains(&magnitude) {
        let digits = (2 - magnitude.log10().floor() as i32).max(0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewer::scene::CloudPoint;

    #[test]
    fn numbers_have_three_digits() {
        let texts = [0.0, 1.0, -0.012_34, 123.4, 12_345.0, 1e-7].map(number);

        assert_eq!(texts, ["0", "1.00", "-0.0123", "123", "1.2e4", "1.0e-7"]);
    }

    #[test]
    fn the_points_of_a_projection_have_a_scale_that_ends_at_their_greatest_value() {
        let point = |value| CloudPoint {
            at: bevy::math::Vec3::ZERO,
            token: 0,
            pos: None,
            value,
        };
        let cloud = Cloud {
            value: "length of the vector".to_owned(),
            points: [0.5, 1.25, f32::NAN].map(point).to_vec(),
            ..Cloud::default()
        };

        let row = cloud_legend(&cloud);

        assert_eq!(row.ticks, ["0", "", "1.25"]);
        assert!(row.note.contains("length of the vector"), "{}", row.note);
    }
}
