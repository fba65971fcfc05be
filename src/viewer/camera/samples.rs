//! Smoothed edges: always where a GPU draws; where the processor does, only at rest.

use std::time::Duration;

use bevy::prelude::*;
use bevy::render::renderer::RenderAdapterInfo;

use crate::viewer::scene::DrawList;
use crate::viewer::viewpoint::CameraSettings;

/// How long after the last motion edges are smoothed again.
const REST: Duration = Duration::from_millis(300);

/// Samples a pixel while the picture moves, on such an adapter: four of them take the processor
/// more than twice as long as one.
pub(super) fn samples_in_motion(type_: wgpu::DeviceType, at_rest: u32) -> u32 {
    match type_ {
        wgpu::DeviceType::Cpu => 1,
        _ => at_rest,
    }
}

/// Chooses how many samples the next frame has.
pub(super) fn choose_samples(
    time: Res<Time<Real>>,
    adapter: Option<Res<RenderAdapterInfo>>,
    settings: Res<CameraSettings>,
    list: Res<DrawList>,
    mut last_motion: Local<Duration>,
    mut last_place: Local<Transform>,
    mut camera: Query<(&Transform, &mut Msaa), With<Camera3d>>,
) {
    let Ok((place, mut msaa)) = camera.single_mut() else {
        return;
    };
    if *place != *last_place || list.is_changed() {
        *last_place = *place;
        *last_motion = time.elapsed();
    }
    let is_resting = time.elapsed().saturating_sub(*last_motion) > REST;
    let samples = match adapter {
        // Pictures are at rest.
        Some(adapter) if settings.is_animated && !is_resting => {
            samples_in_motion(adapter.device_type, settings.msaa_samples)
        }
        _ => settings.msaa_samples,
    };
    msaa.set_if_neq(Msaa::from_samples(samples));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_processor_leaves_edges_rough_and_only_in_motion() {
        assert_eq!(samples_in_motion(wgpu::DeviceType::Cpu, 4), 1);
        assert_eq!(samples_in_motion(wgpu::DeviceType::DiscreteGpu, 4), 4);
        assert_eq!(samples_in_motion(wgpu::DeviceType::IntegratedGpu, 2), 2);
    }
}
