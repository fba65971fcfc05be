//! Moving the choice with the keys: to a neighbour, another layer, another token.

use bevy::prelude::*;

use crate::hook::HookPoint;
use crate::layout::{Cell, CellId, ModelLayout, WeightCell};
use crate::viewer::pointing::{SelectionWish, Walk};
use crate::weight::WeightPoint;

pub(super) fn obey_keys(keys: Res<ButtonInput<KeyCode>>, mut wishes: MessageWriter<SelectionWish>) {
    // Where frames are slow a key may go down and up within one.
    let is_held =
        |left, right| keys.any_pressed([left, right]) || keys.any_just_pressed([left, right]);
    let has_ctrl = is_held(KeyCode::ControlLeft, KeyCode::ControlRight);
    let has_shift = is_held(KeyCode::ShiftLeft, KeyCode::ShiftRight);
    let neighbours = [
        (KeyCode::ArrowLeft, Walk::Left),
        (KeyCode::ArrowRight, Walk::Right),
        (KeyCode::ArrowUp, Walk::Forth),
        (KeyCode::ArrowDown, Walk::Back),
    ];
    let along = |count| match has_shift {
        true => Walk::Tokens(count),
        false => Walk::Layers(count),
    };
    let far = [(KeyCode::Comma, along(-1)), (KeyCode::Period, along(1))];
    let steps = if has_ctrl { &neighbours[..] } else { &far[..] };
    for (key, step) in steps {
        if keys.just_pressed(*key) {
            wishes.write(SelectionWish::Walk(*step));
        }
    }
}

/// The cell one step on; none where there is none.
pub(super) fn walked(layout: &ModelLayout, cell: Cell, step: Walk) -> Option<Cell> {
    let walked = match (cell, step) {
        (Cell::Value(cell), Walk::Tokens(count)) => Cell::Value(CellId {
            pos: cell.pos.checked_add_signed(count)?,
            ..cell
        }),
        (Cell::Weight(_), Walk::Tokens(_)) => return None,
        (Cell::Value(cell), Walk::Layers(count)) => Cell::Value(CellId {
            hook: match cell.hook {
                HookPoint::Block { layer, site } => {
                    HookPoint::block(layer.checked_add_signed(count)?, site)
                }
                _ => return None,
            },
            ..cell
        }),
        (Cell::Weight(cell), Walk::Layers(count)) => Cell::Weight(WeightCell {
            weight: match cell.weight {
                WeightPoint::Block { layer, site } => {
                    WeightPoint::block(layer.checked_add_signed(count)?, site)
                }
                _ => return None,
            },
            ..cell
        }),
        (cell, Walk::Left | Walk::Right | Walk::Back | Walk::Forth) => {
            return neighbour(layout, cell, step);
        }
    };
    layout.ground_of(walked).map(|_| walked)
}

/// The cell beside it on the ground, in the next tile where its own ends.
fn neighbour(layout: &ModelLayout, cell: Cell, step: Walk) -> Option<Cell> {
    let rect = layout.ground_of(cell)?;
    let way = match step {
        Walk::Left => Vec2::NEG_X,
        Walk::Right => Vec2::X,
        Walk::Forth => Vec2::NEG_Y,
        _ => Vec2::Y,
    };
    let center = rect.center();
    let size = rect.size;
    // Free ground is stepped over, but for no more than a tile.
    let n_steps = (layout.tile_size.max_element() / size.min_element()).ceil() as usize;
    (1..=n_steps.clamp(1, 256)).find_map(|count| {
        let place = Vec2::new(center.x, center.z) + count as f32 * way * size;
        layout
            .number_at(place.x, place.y)
            .filter(|found| *found != cell)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::BlockSite;

    fn cell(hook: HookPoint, pos: usize, index: usize) -> Cell {
        Cell::Value(CellId {
            hook,
            pos,
            head: 0,
            index,
        })
    }

    #[test]
    fn the_choice_steps_to_its_neighbours_and_into_the_next_lane() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 3);
        let hook = HookPoint::block(1, BlockSite::ResidMid);
        let go = |index, step| walked(&layout, cell(hook, 1, index), step);

        assert_eq!(go(40, Walk::Right), Some(cell(hook, 1, 41)));
        assert_eq!(go(40, Walk::Left), Some(cell(hook, 1, 39)));
        // 32 cells in a row.
        assert_eq!(go(40, Walk::Forth), Some(cell(hook, 1, 72)));
        assert_eq!(go(40, Walk::Back), Some(cell(hook, 1, 8)));
        assert_eq!(go(63, Walk::Right), Some(cell(hook, 2, 32)));
    }

    #[test]
    fn layers_and_tokens_are_walked_as_far_as_there_are_any() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 3);
        let hook = |layer| HookPoint::block(layer, BlockSite::Q);
        let here = cell(hook(11), 1, 5);

        assert_eq!(
            walked(&layout, here, Walk::Layers(-1)),
            Some(cell(hook(10), 1, 5))
        );
        assert_eq!(walked(&layout, here, Walk::Layers(1)), None);
        assert_eq!(
            walked(&layout, here, Walk::Tokens(1)),
            Some(cell(hook(11), 2, 5))
        );
        assert_eq!(walked(&layout, cell(hook(0), 2, 5), Walk::Tokens(1)), None);
        let logits = cell(HookPoint::Logits, 0, 9);
        assert_eq!(walked(&layout, logits, Walk::Layers(1)), None);
    }
}
