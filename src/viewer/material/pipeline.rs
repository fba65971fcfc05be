//! The render pipelines: one for each form that values take.

use bevy::core_pipeline::core_3d::CORE_3D_DEPTH_FORMAT;
use bevy::prelude::*;
use bevy::render::render_resource::binding_types::{
    storage_buffer_read_only_sized, texture_2d, uniform_buffer, uniform_buffer_sized,
};
use bevy::render::render_resource::{
    BindGroupLayoutDescriptor, BindGroupLayoutEntries, BlendState, CachedRenderPipelineId,
    ColorTargetState, ColorWrites, CompareFunction, DepthStencilState, FragmentState,
    MultisampleState, PipelineCache, PrimitiveState, PrimitiveTopology, RenderPipelineDescriptor,
    ShaderStages, SpecializedRenderPipeline, SpecializedRenderPipelines, TextureFormat,
    TextureSampleType, VertexState,
};
use bevy::render::view::{ExtractedView, ViewUniform};

/// What is drawn, in the order it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Ground,
    Tiles,
    Fields,
    Boxes,
    Bars,
    Arcs,
    Dots,
    Lines,
}

/// How many forms there are.
pub(super) const N_FORMS: usize = 8;

impl Form {
    pub(super) const ALL: [Self; N_FORMS] = [
        Self::Boxes,
        Self::Bars,
        Self::Dots,
        Self::Tiles,
        Self::Fields,
        Self::Ground,
        Self::Arcs,
        Self::Lines,
    ];

    /// Whether it lets what lies behind it shine through.
    fn is_blended(self) -> bool {
        matches!(self, Self::Arcs | Self::Lines)
    }

    /// Whether it is drawn from a list of its own.
    fn has_list(self) -> bool {
        matches!(
            self,
            Self::Boxes | Self::Bars | Self::Arcs | Self::Dots | Self::Lines
        )
    }

    /// Whether it is made of boxes, which have an index buffer.
    fn is_boxes(self) -> bool {
        matches!(self, Self::Boxes | Self::Bars)
    }
}

/// The shaders, embedded in the program.
#[derive(Resource, Clone)]
pub(super) struct CellShaders {
    /// Kept alive: the others import it.
    _common: Handle<Shader>,
    ground: Handle<Shader>,
    tile: Handle<Shader>,
    field: Handle<Shader>,
    boxes: Handle<Shader>,
    bars: Handle<Shader>,
    arcs: Handle<Shader>,
    dots: Handle<Shader>,
    lines: Handle<Shader>,
}

macro_rules! shader {
    ($shaders:expr, $file:literal) => {
        $shaders.add(Shader::from_wgsl(
            include_str!(concat!("../../../shaders/", $file)),
            concat!("shaders/", $file),
        ))
    };
}

impl CellShaders {
    pub(super) fn new(shaders: &mut Assets<Shader>) -> Self {
        Self {
            _common: shader!(shaders, "common.wgsl"),
            ground: shader!(shaders, "ground.wgsl"),
            tile: shader!(shaders, "tile.wgsl"),
            field: shader!(shaders, "field.wgsl"),
            boxes: shader!(shaders, "boxes.wgsl"),
            bars: shader!(shaders, "bars.wgsl"),
            arcs: shader!(shaders, "arcs.wgsl"),
            dots: shader!(shaders, "dots.wgsl"),
            lines: shader!(shaders, "lines.wgsl"),
        }
    }
}

/// Makes pipelines for each form, sample count and target format.
#[derive(Resource)]
pub(super) struct CellPipelines {
    pub(super) world_layout: BindGroupLayoutDescriptor,
    /// One storage buffer: near tiles, bars, arcs, points or lines.
    pub(super) list_layout: BindGroupLayoutDescriptor,
    shaders: CellShaders,
}

pub(super) fn init_pipelines(mut commands: Commands, shaders: Res<CellShaders>) {
    let storage = || storage_buffer_read_only_sized(false, None);
    commands.insert_resource(CellPipelines {
        world_layout: BindGroupLayoutDescriptor::new(
            "llmscope_world",
            &BindGroupLayoutEntries::sequential(
                ShaderStages::VERTEX_FRAGMENT,
                (
                    uniform_buffer::<ViewUniform>(true),
                    uniform_buffer_sized(false, None),
                    storage(), // pool
                    storage(), // tiles
                    storage(), // blocks
                    storage(), // fields
                    storage(), // attention
                    storage(), // weights
                    texture_2d(TextureSampleType::Float { filterable: false }),
                ),
            ),
        ),
        list_layout: BindGroupLayoutDescriptor::new(
            "llmscope_list",
            &BindGroupLayoutEntries::single(ShaderStages::VERTEX, storage()),
        ),
        shaders: shaders.clone(),
    });
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CellPipelineKey {
    form: Form,
    samples: u32,
    target: TextureFormat,
}

impl SpecializedRenderPipeline for CellPipelines {
    type Key = CellPipelineKey;

    fn specialize(&self, key: CellPipelineKey) -> RenderPipelineDescriptor {
        let shader = match key.form {
            Form::Ground => &self.shaders.ground,
            Form::Tiles => &self.shaders.tile,
            Form::Fields => &self.shaders.field,
            Form::Boxes => &self.shaders.boxes,
            Form::Bars => &self.shaders.bars,
            Form::Arcs => &self.shaders.arcs,
            Form::Dots => &self.shaders.dots,
            Form::Lines => &self.shaders.lines,
        };
        let mut layout = vec![self.world_layout.clone()];
        if key.form.has_list() {
            layout.push(self.list_layout.clone());
        }
        let is_blended = key.form.is_blended();
        RenderPipelineDescriptor {
            label: Some(format!("llmscope_{:?}", key.form).into()),
            layout,
            vertex: VertexState {
                shader: shader.clone(),
                entry_point: Some("vertex".into()),
                ..default()
            },
            fragment: Some(FragmentState {
                shader: shader.clone(),
                entry_point: Some("fragment".into()),
                targets: vec![Some(ColorTargetState {
                    format: key.target,
                    blend: is_blended.then_some(BlendState::ALPHA_BLENDING),
                    write_mask: ColorWrites::ALL,
                })],
                ..default()
            }),
            primitive: PrimitiveState {
                topology: if key.form.is_boxes() {
                    PrimitiveTopology::TriangleList
                } else {
                    PrimitiveTopology::TriangleStrip
                },
                cull_mode: None,
                ..default()
            },
            depth_stencil: Some(DepthStencilState {
                format: CORE_3D_DEPTH_FORMAT,
                depth_write_enabled: Some(!is_blended),
                // Depth is reversed: nearer is greater.
                depth_compare: Some(CompareFunction::GreaterEqual),
                stencil: default(),
                bias: default(),
            }),
            multisample: MultisampleState {
                count: key.samples,
                ..default()
            },
            ..default()
        }
    }
}

/// The pipelines that fit a view.
#[derive(Component)]
pub(super) struct ViewPipelines(pub(super) [(Form, CachedRenderPipelineId); N_FORMS]);

pub(super) fn specialize_pipelines(
    mut commands: Commands,
    views: Query<(Entity, &ExtractedView, &Msaa)>,
    pipelines: Res<CellPipelines>,
    mut specialized: ResMut<SpecializedRenderPipelines<CellPipelines>>,
    cache: Res<PipelineCache>,
) {
    for (entity, view, msaa) in &views {
        let ids = Form::ALL.map(|form| {
            let key = CellPipelineKey {
                form,
                samples: msaa.samples(),
                target: view.target_format,
            };
            (form, specialized.specialize(&cache, &pipelines, key))
        });
        commands.entity(entity).insert(ViewPipelines(ids));
    }
}
