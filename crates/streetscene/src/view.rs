//! One camera's pictures of a world, and what is true in them.

mod actors;
mod fixed;

use crate::geometry::Pinhole;
use crate::look::Look;
use crate::patch::{Area, Patch};
use crate::person;
use crate::pose::Joints;
use crate::truth::{Class, FrameTruth, Mask, Object, SCHEMA};
use crate::world::World;
use crate::{shade, shadow};
use actors::actors;
use fixed::{Backdrop, MARGIN, around};

/// How far outside the picture and its margin silhouettes are followed, pixels.
const REACH: i32 = 400 - MARGIN;

/// Pixels of a frame.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
    /// Four bytes per pixel, row by row; the fourth is 255.
    pub rgba: Vec<u8>,
}

/// A drawn object's numbers.
struct Drawn {
    identity: u32,
    class: Class,
    ridden: Option<u32>,
    full: u32,
    full_box: [i32; 4],
    keypoints: Option<Vec<Point>>,
}

/// A keypoint: pixels, depth, whether it faces the camera, whether a nearer part of its own body covers it.
#[derive(Clone, Copy)]
struct Point {
    x: f32,
    y: f32,
    shown: bool,
}

/// One camera's renderer. It keeps the fixed picture and its buffers between frames.
pub struct View {
    camera: usize,
    lens: Pinhole,
    backdrop: Backdrop,
    frame: Frame,
    /// Who owns each pixel: 1 + index into the drawn list, 0 nobody.
    owner: Vec<u16>,
    z: Vec<f32>,
    shadow: shadow::Shadow,
    patch: Patch,
    noise: Vec<i8>,
    scratch: Vec<u8>,
    truth: FrameTruth,
}

impl View {
    /// A view of a world by one of its cameras (an index into [`World::cameras`]; held to the last one).
    pub fn new(world: &World, camera: usize) -> View {
        let camera = camera.min(world.site.cameras.len() - 1);
        let (lens, optics) = world.site.cameras[camera];
        let (width, height) = (lens.width as u32, lens.height as u32);
        let n = (width * height) as usize;
        let info = &world.cameras()[camera];
        let truth = FrameTruth {
            schema: SCHEMA.to_owned(),
            seed: world.seed,
            light: world.light().name().to_owned(),
            camera: info.id.clone(),
            frame: 0,
            time_s: 0.0,
            width,
            height,
            objects: Vec::new(),
        };
        View {
            camera,
            lens,
            backdrop: Backdrop::new(world, &lens),
            frame: Frame { width, height, rgba: vec![255; n * 4] },
            owner: vec![0; n],
            z: vec![f32::MAX; n],
            shadow: shadow::Shadow::new(width, height),
            patch: Patch::default(),
            noise: shade::noise_table(world.seed ^ (camera as u64) << 32, optics.noise),
            scratch: Vec::new(),
            truth,
        }
    }

    /// Renders the world as it is now, with its truth. `frame_number` counts from 1 and seeds the sensor's noise.
    pub fn render(&mut self, world: &World, frame_number: u64) -> &Frame {
        let drawn = self.paint(world, frame_number);
        self.truth.frame = frame_number;
        self.truth.time_s = (world.time * 1e6).round() / 1e6;
        self.truth.objects = self.objects(world, &drawn);
        &self.frame
    }

    /// Renders pixels only; [`View::truth`] keeps what it was.
    pub fn render_pixels(&mut self, world: &World, frame_number: u64) -> &Frame {
        self.paint(world, frame_number);
        &self.frame
    }

    /// The pixels drawn last.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// What is true in the frame of the last [`View::render`].
    pub fn truth(&self) -> &FrameTruth {
        &self.truth
    }

    fn paint(&mut self, world: &World, frame_number: u64) -> Vec<Drawn> {
        let (dx, dy) = world.shake(self.camera);
        let shift = (dx.clamp(-MARGIN, MARGIN), dy.clamp(-MARGIN, MARGIN));
        self.backdrop.copy(&mut self.frame, shift);
        self.owner.fill(0);
        self.z.fill(f32::MAX);
        let lens = self.lens;
        let optics = world.site.cameras[self.camera].1;
        let mut actors = actors(world, &lens);
        let backdrop = &self.backdrop;
        let ground = |x: usize, y: usize| {
            let back = (y as i32 + MARGIN - shift.1) as usize * backdrop.width + (x as i32 + MARGIN - shift.0) as usize;
            1.0 - f32::from(backdrop.cover[back]) / 255.0
        };
        shadow::cast(&mut self.shadow, world, &lens, shift, &mut self.frame, ground);
        actors.sort_by(|a, b| b.order.total_cmp(&a.order));
        let picture = around(self.frame.width, self.frame.height);
        let mut drawn = Vec::new();
        for mut actor in actors {
            self.patch.draw(&mut actor.shapes, picture, REACH);
            let (full, full_box) = silhouette(&self.patch, shift);
            if full == 0 {
                continue;
            }
            let keypoints = actor.joints.map(|(look, joints)| keypoints(look, &joints, &lens, &self.patch, shift));
            drawn.push(Drawn {
                identity: actor.identity,
                class: actor.class,
                ridden: actor.ridden,
                full,
                full_box,
                keypoints,
            });
            self.compose(drawn.len() as u16, shift);
        }
        shade::finish(&mut self.frame, &mut self.scratch, &self.noise, world, &optics, frame_number);
        drawn
    }

    /// Lays the patch over the frame where nothing nearer is.
    fn compose(&mut self, id: u16, shift: (i32, i32)) {
        let (w, h) = (self.frame.width as i32, self.frame.height as i32);
        let shown = self.patch.shown;
        let seen = shown.within(Area { x0: -shift.0, y0: -shift.1, w, h });
        for y in seen.y0..seen.y0 + seen.h {
            for x in seen.x0..seen.x0 + seen.w {
                let patch = self.patch.pixels[((y - shown.y0) * shown.w + x - shown.x0) as usize];
                let mask = self.patch.area.index(x, y).map_or(0.0, |i| self.patch.mask[i]);
                if patch.alpha <= 0.004 && mask < 0.5 {
                    continue;
                }
                let at = ((y + shift.1) * w + x + shift.0) as usize;
                if patch.z > self.z[at] + 0.02 {
                    continue;
                }
                let back = (y + MARGIN) as usize * self.backdrop.width + (x + MARGIN) as usize;
                let hidden =
                    if patch.z > self.backdrop.z[back] { f32::from(self.backdrop.cover[back]) / 255.0 } else { 0.0 };
                let show = 1.0 - hidden;
                let keep = 1.0 - patch.alpha * show;
                let pixel = &mut self.frame.rgba[at * 4..at * 4 + 3];
                for (v, c) in pixel.iter_mut().zip(patch.rgb) {
                    let value = f32::from(*v) * keep + c * 255.0 * show;
                    *v = value.clamp(0.0, 255.0) as u8;
                }
                if mask >= 0.5 && hidden < 0.5 {
                    self.owner[at] = id;
                    if patch.alpha >= 0.5 {
                        self.z[at] = patch.z;
                    }
                }
            }
        }
    }

    fn objects(&self, world: &World, drawn: &[Drawn]) -> Vec<Object> {
        let (w, h) = (self.frame.width, self.frame.height);
        let mut boxes = vec![[u32::MAX, u32::MAX, 0, 0, 0]; drawn.len() + 1];
        for y in 0..h {
            let row = &self.owner[(y * w) as usize..((y + 1) * w) as usize];
            for (x, id) in row.iter().enumerate() {
                if *id > 0 {
                    let b = &mut boxes[*id as usize];
                    let x = x as u32;
                    *b = [b[0].min(x), b[1].min(y), b[2].max(x + 1), b[3].max(y + 1), b[4] + 1];
                }
            }
        }
        let mut out = Vec::new();
        for (k, d) in drawn.iter().enumerate() {
            let b = boxes[k + 1];
            let Some(track) = world.track(self.camera, d.identity) else { continue };
            if b[4] == 0 {
                continue;
            }
            let id = k as u16 + 1;
            let bike = d.ridden.and_then(|r| drawn.iter().position(|o| o.identity == r)).map(|p| p as u16 + 1);
            let visibility = (b[4] as f32 / d.full as f32).min(1.0);
            let keypoints = d.keypoints.as_ref().map(|points| {
                points
                    .iter()
                    .map(|p| {
                        let round = |v: f32| (v * 100.0).round() / 100.0;
                        if p.x < 0.0 || p.y < 0.0 || p.x >= w as f32 || p.y >= h as f32 {
                            return [0.0, 0.0, 0.0];
                        }
                        let owner = self.owner[p.y as usize * w as usize + p.x as usize];
                        let seen = p.shown && (owner == id || Some(owner) == bike);
                        [round(p.x), round(p.y), if seen { 2.0 } else { 1.0 }]
                    })
                    .collect()
            });
            let area = [b[0], b[1], b[2], b[3]];
            out.push(Object {
                track,
                identity: d.identity,
                class: d.class,
                bounds: area.map(|v| v as f32),
                full_box: d.full_box.map(|v| v as f32),
                visibility: (visibility * 1e4).round() / 1e4,
                ignore: visibility < 0.3 || b[3] - b[1] < 20 || b[4] < 60,
                keypoints,
                mask: Mask::encode(w, h, area, |x, y| self.owner[(y * w + x) as usize] == id),
            });
        }
        out
    }
}

/// Pixels and box of the patch's mask, in the picture.
fn silhouette(patch: &Patch, shift: (i32, i32)) -> (u32, [i32; 4]) {
    let mut b = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
    let mut count = 0;
    let width = patch.area.w as usize;
    for y in 0..patch.area.h as usize {
        let row = &patch.mask[y * width..(y + 1) * width];
        let n = row.iter().filter(|m| **m >= 0.5).count() as u32;
        if n > 0 {
            count += n;
            let first = row.iter().position(|m| *m >= 0.5).unwrap_or(0) as i32;
            let last = row.iter().rposition(|m| *m >= 0.5).unwrap_or(0) as i32;
            b = [b[0].min(first), b[1].min(y as i32), b[2].max(last + 1), b[3].max(y as i32 + 1)];
        }
    }
    let (ox, oy) = (patch.area.x0 + shift.0, patch.area.y0 + shift.1);
    (count, [b[0].saturating_add(ox), b[1].saturating_add(oy), b[2].saturating_add(ox), b[3].saturating_add(oy)])
}

fn keypoints(look: &Look, joints: &Joints, lens: &Pinhole, patch: &Patch, shift: (i32, i32)) -> Vec<Point> {
    person::keypoints(look, joints)
        .iter()
        .map(|(p, facing)| {
            let c = lens.to_camera(*p);
            let s = lens.place(c);
            let away = facing.is_some_and(|f| (*p - lens.position).unit().dot(f) > -0.12);
            // A joint lies within its limb: something well before it is another part of the body.
            let at = patch.shown.index(s.x.floor() as i32, s.y.floor() as i32);
            let covered = facing.is_none() && at.is_some_and(|i| patch.pixels[i].z < s.z - 0.14);
            let far = c.z <= crate::geometry::NEAR;
            let (x, y) = if far { (-1.0, -1.0) } else { (s.x + shift.0 as f32, s.y + shift.1 as f32) };
            Point { x, y, shown: !away && !covered }
        })
        .collect()
}
