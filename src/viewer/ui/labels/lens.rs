//! What each layer's end predicts, and what stands at the exit.

use glam::Vec3;

use super::eye::fade;
use super::names::{layer_ground, style, tile_points};
use super::{Labels, Spot, Style, Tail, Tone};
use crate::analysis::Candidate;
use crate::hook::{BlockSite, HookPoint};

const EXIT_CURRENT: Style = style(1, 13.5, Tone::Name);
const EXIT: Style = style(5, 12.5, Tone::Name);
const LENS: Style = style(4, 12.0, Tone::Name);

/// Where labels hold more than a word, in points from lane to lane.
const ROOMY: f32 = 104.0;

pub(super) fn add(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    for (layer, span) in scene.layout.layers.iter().enumerate() {
        let ground = layer_ground(scene, span);
        if tile_points(scene, ground) > 24.0 && scene.eye.sees(ground, 0.0) {
            add_layer(labels, layer, span.far_z);
        }
    }
    add_skyline(labels);
}

/// The lens's best token at the end of a layer, in every lane that the signal has come through.
fn add_layer(labels: &mut Labels<'_, '_>, layer: usize, far_z: f32) {
    let scene = labels.scene;
    let tile = scene.layout.tile_size.x;
    let end = HookPoint::block(layer, BlockSite::ResidPost);
    let Some(order) = scene.layout.block(end).map(|block| block.order as f32) else {
        return;
    };
    for lane in 0..scene.tokens.len() {
        let lit = scene.lit(lane, order);
        if lit <= 0.0 {
            continue;
        }
        let Some(best) = (scene.lens)(layer, lane).and_then(|top| top.first()) else {
            continue;
        };
        let at = Vec3::new(scene.lane_middle(lane), 0.0, far_z - 0.08 * tile);
        let pitch = scene.eye.length(at, at + Vec3::X * scene.layout.lane_pitch);
        let spot = Spot::beside(at, at - Vec3::Z * 0.3 * tile);
        let rank = ((layer as u32) << 16) | lane as u32;
        let presence = lit * fade(44.0, 52.0, pitch);
        // A guess steps back; what is certain stands as strong as the tokens.
        let ink = best.probability;
        labels.add_with_tail(LENS, rank, spot, presence, ink, || {
            let text = format!("→ {}", (scene.token_text)(best.token));
            (text, percent_tail(best, roominess(pitch)))
        });
    }
}

/// How much of a probability there is room for where lanes are `pitch` points apart.
fn roominess(pitch: f32) -> f32 {
    fade(ROOMY, 1.08 * ROOMY, pitch)
}

fn percent_tail(candidate: &Candidate, share: f32) -> Tail {
    Tail {
        text: format!("  {}", percent(candidate.probability)),
        share,
    }
}

/// A probability in two digits, such as `42 %` and `0.3 %`.
fn percent(probability: f32) -> String {
    let percent = 100.0 * probability;
    if percent >= 9.95 {
        format!("{percent:.0} %")
    } else if percent >= 0.05 {
        format!("{percent:.1} %")
    } else {
        "< 0.1 %".to_owned()
    }
}

/// The most probable next tokens, on their bars at the exit of each lane.
fn add_skyline(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    let Some(skyline) = &scene.layout.skyline else {
        return;
    };
    for lane in 0..scene.layout.n_lanes {
        let lit = scene.lit(lane, scene.n_orders - 1.0);
        let Some(top) = (scene.predictions)(lane).filter(|_| lit > 0.0) else {
            continue;
        };
        let is_current = lane == scene.playhead.lane;
        let foot = skyline.bar(lane, 0).center();
        let pitch = scene
            .eye
            .length(foot, foot + Vec3::X * scene.layout.lane_pitch);
        let spacing = scene.eye.length(foot, skyline.bar(lane, 1).center());
        for (index, candidate) in top.iter().take(skyline.n_ranks).enumerate() {
            let height = lit * candidate.probability * skyline.height;
            let at = skyline.bar(lane, index).center() + Vec3::Y * height;
            let style = if is_current { EXIT_CURRENT } else { EXIT };
            let presence = match index {
                0 if is_current => 1.0,
                0 => fade(28.0, 34.0, pitch),
                _ => fade(34.0, 44.0, spacing),
            };
            let spot = Spot {
                until: Some(at - Vec3::X * 2.0 * scene.layout.lane_pitch),
                ..Spot::beside(at, at + Vec3::Y * 0.2 * scene.layout.tile_size.x)
            };
            let rank = ((index as u32) << 16) | lane as u32;
            let ink = candidate.probability.sqrt();
            labels.add_with_tail(style, rank, spot, lit * presence, ink, || {
                let share = if is_current { 1.0 } else { roominess(pitch) };
                let text = (scene.token_text)(candidate.token);
                (text, percent_tail(candidate, share))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_have_two_digits() {
        let texts = [1.0, 0.424, 0.0995, 0.0123, 0.0005, 1e-5].map(percent);

        assert_eq!(
            texts,
            ["100 %", "42 %", "10 %", "1.2 %", "0.1 %", "< 0.1 %"]
        );
    }
}
