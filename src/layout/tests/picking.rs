//! Tests of the way from places to cells.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn the_cell_at_a_cells_centre_is_that_cell(
        n_heads in 1usize..7, d_head in 1usize..20, d_mlp in 1usize..200,
        n_lanes in 1usize..9, seed in 0usize..1_000_000,
    ) {
        let layout = ModelLayout::new(&config(2, n_heads, d_head, d_mlp), n_lanes);
        let pos = seed % n_lanes;
        let mut cells: Vec<CellId> = layout
            .blocks
            .iter()
            .map(|block| {
                let cell = seed % block.grid.n_cells();
                let (head, index) = block.grid.head_and_index(cell);
                CellId { hook: block.hook, pos, head, index }
            })
            .collect();
        cells.push(CellId {
            hook: HookPoint::block(1, BlockSite::Pattern),
            pos,
            head: seed % n_heads,
            index: seed % (pos + 1),
        });
        for cell in cells {
            let center = layout.cell_rect(cell).unwrap().center();
            prop_assert_eq!(layout.cell_at(center.x, center.z), Some(cell));
        }
    }
}

/// A camera that looks at `target` from around it.
fn eye_around(target: Vec3, turn: f32, pitch: f32, distance: f32) -> Vec3 {
    let flat = Vec3::new(
        turn.sin() * pitch.cos(),
        pitch.sin(),
        turn.cos() * pitch.cos(),
    );
    target + distance * flat
}

proptest! {
    /// Projecting a cell's centre and picking there is the same as sending a ray from the camera
    /// through that centre.
    #[test]
    fn picking_at_a_cells_centre_returns_that_cell_or_one_that_hides_it(
        n_heads in 1usize..5, d_head in 1usize..12, d_mlp in 1usize..90,
        n_lanes in 1usize..7, seed in 0usize..1_000_000,
        turn in 0.0f32..6.2, pitch in 0.08f32..1.55, distance in 0.5f32..400.0,
        heights in 0.0f32..6.0,
    ) {
        let config = config(2, n_heads, d_head, d_mlp);
        let layout = ModelLayout::new(&config, n_lanes);
        let pos = seed % n_lanes;
        let mut cells: Vec<Cell> = layout
            .blocks
            .iter()
            .map(|block| {
                let cell = seed % block.grid.n_cells();
                let (head, index) = block.grid.head_and_index(cell);
                Cell::Value(CellId { hook: block.hook, pos, head, index })
            })
            .collect();
        cells.extend(layout.bands.iter().map(|band| Cell::Value(CellId {
            hook: band.hook,
            pos,
            head: seed % n_heads,
            index: seed % (pos + 1),
        })));
        cells.extend(layout.fields.iter().map(|field| {
            let place = (seed % field.n_rows, seed % field.n_cols());
            Cell::Weight(field.cell(place.0, place.1).unwrap())
        }));
        // Heights that differ from cell to cell, zero for a third of them.
        let height_of = |cell: CellId| {
            let mixed = (cell.index * 7 + cell.head * 13 + cell.pos * 5) % 9;
            heights * (mixed as f32 / 6.0 - 0.5).max(0.0)
        };
        for cell in cells {
            let rect = layout.ground_of(cell).unwrap();
            let height = match cell {
                Cell::Value(id) => height_of(id),
                Cell::Weight(_) => 0.0,
            };
            let center = rect.center() + height * Vec3::Y;
            let origin = eye_around(center, turn, pitch, distance);
            let ray = Ray { origin, direction: center - origin };

            // On bare ground nothing hides anything.
            let flat = Ray { direction: rect.center() - origin, origin };
            let hit = layout.pick(&flat, &|_| 0.0, 0.0, f32::MAX).unwrap();
            prop_assert_eq!(hit.cell, cell);

            let hit = layout.pick(&ray, &height_of, 10.0, f32::MAX).unwrap();
            prop_assert!(
                hit.cell == cell || hit.distance < 1.0,
                "{:?} at {} instead of {:?}", hit.cell, hit.distance, cell
            );
        }
    }
}

#[test]
fn a_tower_in_front_is_met_before_the_cell_behind_it() {
    let layout = ModelLayout::new(&config(1, 2, 8, 64), 1);
    let hook = HookPoint::block(0, BlockSite::ResidPre);
    let cell = |index| CellId {
        hook,
        pos: 0,
        head: 0,
        index,
    };
    let (tower, behind) = (cell(1), cell(1 + layout.block(hook).unwrap().grid.cols()));
    let target = layout.cell_rect(behind).unwrap().center();
    let origin = target + Vec3::new(0.0, 2.0, 4.0);
    let ray = Ray {
        origin,
        direction: target - origin,
    };
    let height_of = |cell| if cell == tower { 3.0 } else { 0.0 };

    let hit = layout.pick(&ray, &height_of, 3.0, f32::MAX).unwrap();
    let without = layout.pick(&ray, &|_| 0.0, 3.0, f32::MAX).unwrap();

    assert_eq!(hit.cell, Cell::Value(tower));
    assert_eq!(without.cell, Cell::Value(behind));
}
