//! What is known of a frame: boxes, masks, keypoints, identities; and of the world: cameras and crossings.

use serde::{Deserialize, Serialize};

use crate::geometry::Pinhole;
use crate::regions::{self, Ground, Line, Zone};

/// The schema named in every truth line.
pub const SCHEMA: &str = "streetscene-truth/1";

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A person, also one that rides.
    Person,
    /// A bicycle without its rider.
    Bicycle,
    /// A car or van.
    Car,
}

impl Class {
    /// The category number in COCO and MOT files: 1, 2, 3.
    pub fn number(self) -> u32 {
        match self {
            Class::Person => 1,
            Class::Bicycle => 2,
            Class::Car => 3,
        }
    }
}

/// A mask as COCO's uncompressed run lengths: column by column, starting with zeros.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    /// Height and width, pixels.
    pub size: [u32; 2],
    /// Run lengths.
    pub counts: Vec<u32>,
}

impl Mask {
    /// The mask of the pixels within `area` (left, top, right, bottom; right and bottom excluded) that satisfy `test`.
    pub fn encode(width: u32, height: u32, area: [u32; 4], test: impl Fn(u32, u32) -> bool) -> Mask {
        let mut counts = Vec::new();
        let mut run = area[0] * height;
        let mut on = false;
        for x in area[0]..area[2] {
            run += area[1];
            if on && area[1] > 0 {
                counts.push(run - area[1]);
                run = area[1];
                on = false;
            }
            for y in area[1]..area[3] {
                let now = test(x, y);
                if now != on {
                    counts.push(run);
                    run = 0;
                    on = now;
                }
                run += 1;
            }
            let rest = height - area[3];
            if on && rest > 0 {
                counts.push(run);
                run = 0;
                on = false;
            }
            run += rest;
        }
        let rest = (width - area[2]) * height;
        if on && rest > 0 {
            counts.push(run);
            run = 0;
        }
        run += rest;
        if run > 0 {
            counts.push(run);
        }
        Mask { size: [height, width], counts }
    }

    /// One flag per pixel, row by row; `None` where the runs do not fill the picture.
    pub fn decode(&self) -> Option<Vec<bool>> {
        let (h, w) = (self.size[0] as usize, self.size[1] as usize);
        let mut out = vec![false; h * w];
        let mut at = 0usize;
        for (i, run) in self.counts.iter().enumerate() {
            let end = at.checked_add(*run as usize).filter(|e| *e <= h * w)?;
            if i % 2 == 1 {
                for k in at..end {
                    out[(k % h) * w + k / h] = true;
                }
            }
            at = end;
        }
        (at == h * w).then_some(out)
    }
}

/// One object in one frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object {
    /// Number of the uninterrupted stay in this camera's picture.
    pub track: u32,
    /// The world's subject, the same in all cameras.
    pub identity: u32,
    /// What it is.
    pub class: Class,
    /// Tight box of the visible pixels: left, top, right, bottom, pixels.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// What the box would be without picture edges and things in front.
    pub full_box: [f32; 4],
    /// Visible pixels over pixels of the whole silhouette.
    pub visibility: f32,
    /// Too little is visible to judge by.
    pub ignore: bool,
    /// For persons: 17 times x, y in pixels and 0 outside, 1 hidden, 2 visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypoints: Option<Vec<[f32; 3]>>,
    /// The visible pixels.
    pub mask: Mask,
}

/// One camera's frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FrameTruth {
    /// [`SCHEMA`].
    pub schema: String,
    /// Seed of the world.
    pub seed: u64,
    /// `day`, `dusk` or `night`.
    pub light: String,
    /// The camera's id.
    pub camera: String,
    /// Number of the frame, from 1.
    pub frame: u64,
    /// Time in the world, seconds.
    pub time_s: f64,
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
    /// Everybody and everything with a visible pixel, far to near.
    pub objects: Vec<Object>,
}

/// What happened at a zone or line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The ground point came into the zone (or, within it, into the picture).
    #[serde(rename = "zone.enter")]
    ZoneEnter,
    /// The ground point left the zone or the picture.
    #[serde(rename = "zone.exit")]
    ZoneExit,
    /// The ground point crossed the line.
    #[serde(rename = "line.crossed")]
    LineCrossed,
}

/// A crossing with its true time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crossing {
    /// When, seconds.
    pub time_s: f64,
    /// The camera in whose picture it happened.
    pub camera: String,
    /// Who.
    pub identity: u32,
    /// Track in that camera.
    pub track: u32,
    /// What it is.
    pub class: Class,
    /// What happened.
    pub kind: Kind,
    /// The zone or line.
    pub id: String,
    /// For lines: `in` from the left of `from`-`to` (seen from above) to its right, else `out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// A camera: how it maps the world, and what it watches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CameraInfo {
    /// `plaza-1` and so on.
    pub id: String,
    /// Position, metres east, north, up.
    pub position: [f64; 3],
    /// Heading of the axis, radians from east, anticlockwise.
    pub yaw: f64,
    /// Angle of the axis below the horizon, radians.
    pub pitch: f64,
    /// Focal length, pixels.
    pub focal: f64,
    /// Principal point, pixels.
    pub principal: [f64; 2],
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
    /// Its zones.
    pub zones: Vec<Zone>,
    /// Its lines.
    pub lines: Vec<Line>,
}

impl CameraInfo {
    /// Describes the camera with an index.
    pub(crate) fn new(index: usize, lens: &Pinhole, zones: &[Ground], lines: &[Ground]) -> CameraInfo {
        CameraInfo {
            id: format!("plaza-{}", index + 1),
            position: [lens.position.x, lens.position.y, lens.position.z],
            yaw: lens.yaw,
            pitch: lens.pitch,
            focal: lens.focal,
            principal: [lens.width / 2.0, lens.height / 2.0],
            width: lens.width as u32,
            height: lens.height as u32,
            zones: regions::watched_zones(lens, zones),
            lines: regions::watched_lines(lens, lines),
        }
    }
}
