//! Street furniture: what stands on the plaza, hides people and throws shadows.

use crate::car::near_clip;
use crate::color::times;
use crate::geometry::{Pinhole, V3, v3};
use crate::person::limb;
use crate::raster::{Form, Layer, Lit, Rgb, Shape};
use crate::rng::cell;

/// A kind of furniture with its colours.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A post of a metre.
    Bollard {
        /// Paint.
        color: Rgb,
    },
    /// A street lamp.
    Lamp {
        /// Paint.
        color: Rgb,
        /// Whether it burns.
        on: bool,
    },
    /// A tree.
    Tree {
        /// Leaves.
        leaves: Rgb,
        /// Size, about 1.
        size: f64,
    },
    /// A bench.
    Bench {
        /// Its boards.
        wood: Rgb,
    },
    /// A box with a bush.
    Planter {
        /// The box.
        pot: Rgb,
        /// The bush.
        leaf: Rgb,
        /// Side, metres.
        size: f64,
    },
    /// A litter bin.
    Bin {
        /// Paint.
        color: Rgb,
    },
    /// A board with a poster.
    Board {
        /// Poster.
        face: Rgb,
        /// Posts.
        post: Rgb,
    },
    /// The kiosk.
    Kiosk {
        /// Walls.
        wall: Rgb,
        /// Awning.
        roof: Rgb,
    },
    /// The shelter of the bus stop.
    Shelter {
        /// Paint.
        color: Rgb,
    },
}

/// One piece of furniture.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub at: V3,
    /// Which way it is turned, radians.
    pub heading: f64,
    /// Room it takes, metres.
    pub radius: f64,
}

/// A piece that throws a shadow: a round limb.
pub type Caster = (V3, f64, V3, f64);

struct Build<'a> {
    camera: &'a Pinhole,
    lit: Lit,
    out: Vec<Shape<'a>>,
}

impl Item {
    /// A piece of furniture at a place.
    pub fn new(kind: Kind, at: V3, heading: f64) -> Item {
        let radius = match kind {
            Kind::Bollard { .. } => 0.15,
            Kind::Lamp { .. } => 0.15,
            Kind::Tree { .. } => 0.3,
            Kind::Bench { .. } => 0.8,
            Kind::Planter { size, .. } => size * 0.6,
            Kind::Bin { .. } => 0.3,
            Kind::Board { .. } => 0.55,
            Kind::Kiosk { .. } => 1.7,
            Kind::Shelter { .. } => 0.3,
        };
        Item { kind, at, heading, radius }
    }

    /// What throws its shadow.
    pub fn casters(&self) -> Vec<Caster> {
        let p = |x: f64, y: f64, z: f64| {
            self.at
                + V3::heading(self.heading) * x
                + V3::heading(self.heading + std::f64::consts::FRAC_PI_2) * y
                + v3(0.0, 0.0, z)
        };
        match self.kind {
            Kind::Bollard { .. } => vec![(p(0.0, 0.0, 0.0), 0.09, p(0.0, 0.0, 1.0), 0.09)],
            Kind::Lamp { .. } => {
                vec![(p(0.0, 0.0, 0.0), 0.07, p(0.0, 0.0, 4.2), 0.06), (p(0.0, 0.0, 4.2), 0.2, p(0.0, 0.0, 4.4), 0.2)]
            }
            Kind::Tree { size, .. } => {
                let s = size;
                vec![
                    (p(0.0, 0.0, 0.0), 0.16, p(0.0, 0.0, 2.4 * s), 0.12),
                    (p(0.0, 0.0, 2.6 * s), 1.0 * s, p(0.0, 0.0, 3.8 * s), 0.9 * s),
                    (p(0.6 * s, 0.3 * s, 3.0 * s), 0.6 * s, p(-0.6 * s, -0.4 * s, 3.2 * s), 0.7 * s),
                ]
            }
            Kind::Bench { .. } => vec![(p(-0.8, 0.0, 0.4), 0.22, p(0.8, 0.0, 0.4), 0.22)],
            Kind::Planter { size, .. } => vec![(p(0.0, 0.0, 0.1), 0.6 * size, p(0.0, 0.0, 0.9), 0.55 * size)],
            Kind::Bin { .. } => vec![(p(0.0, 0.0, 0.0), 0.24, p(0.0, 0.0, 0.9), 0.24)],
            Kind::Board { .. } => vec![(p(-0.5, 0.0, 1.3), 0.1, p(0.5, 0.0, 1.3), 0.1)],
            Kind::Kiosk { .. } => {
                vec![(p(-0.5, 0.0, 0.0), 1.3, p(-0.5, 0.0, 2.5), 1.3), (p(0.5, 0.0, 0.0), 1.3, p(0.5, 0.0, 2.5), 1.3)]
            }
            Kind::Shelter { .. } => vec![(p(-1.4, 0.0, 2.3), 0.6, p(1.4, 0.0, 2.3), 0.6)],
        }
    }

    /// Its shapes for a camera.
    pub fn shapes<'a>(&self, camera: &'a Pinhole, lit: Lit) -> Vec<Shape<'a>> {
        let mut b = Build { camera, lit, out: Vec::new() };
        let (fwd, left) = (V3::heading(self.heading), V3::heading(self.heading + std::f64::consts::FRAC_PI_2));
        let p = |x: f64, y: f64, z: f64| self.at + fwd * x + left * y + v3(0.0, 0.0, z);
        match self.kind {
            Kind::Bollard { color } => {
                b.limb(p(0.0, 0.0, 0.0), 0.09, p(0.0, 0.0, 0.95), 0.08, move |_, t| {
                    if (0.75..0.88).contains(&t) { [0.9, 0.9, 0.88] } else { color }
                });
            }
            Kind::Lamp { color, on } => {
                b.limb(p(0.0, 0.0, 0.0), 0.09, p(0.0, 0.0, 4.1), 0.055, move |_, _| color);
                if on {
                    b.lit = Lit { ambient: [1.0; 3], direct: [0.0; 3], towards: [0.0; 3] };
                }
                let glow = if on { [1.4, 1.3, 1.0] } else { [0.8, 0.8, 0.78] };
                b.limb(p(0.0, 0.0, 4.15), 0.2, p(0.0, 0.0, 4.35), 0.13, move |_, _| glow);
            }
            Kind::Tree { leaves, size } => self.tree(&mut b, leaves, size),
            Kind::Bench { wood } => {
                for x in [-0.65, 0.65] {
                    b.block(p(x, 0.0, 0.0), fwd, 0.04, 0.2, 0.0, 0.42, [0.15, 0.15, 0.16]);
                }
                b.block(p(0.0, 0.0, 0.0), fwd, 0.85, 0.22, 0.42, 0.48, wood);
                b.block(p(0.0, 0.2, 0.0), fwd, 0.85, 0.03, 0.52, 0.85, times(wood, 0.92));
            }
            Kind::Planter { pot, leaf, size } => {
                b.block(p(0.0, 0.0, 0.0), fwd, size / 2.0, size / 2.0, 0.0, 0.5, pot);
                for i in 0..22 {
                    let h = |k: u32| f64::from(cell(i, (self.at.x * 100.0) as i64, k)) - 0.5;
                    let c = p(h(1) * size * 0.9, h(2) * size * 0.9, 0.6 + h(3) * 0.35);
                    b.limb(
                        c,
                        0.16 * size,
                        c + v3(h(5) * 0.3, h(6) * 0.3, 0.14),
                        0.12 * size,
                        foliage(times(leaf, 1.0 + 0.5 * h(4) as f32), i as u32),
                    );
                }
            }
            Kind::Bin { color } => {
                b.limb(p(0.0, 0.0, 0.15), 0.22, p(0.0, 0.0, 0.8), 0.24, move |u, t| {
                    times(color, if t > 0.85 || (u * 3.0).rem_euclid(1.0) < 0.12 { 0.6 } else { 1.0 })
                });
            }
            Kind::Board { face, post } => {
                b.block(p(-0.5, 0.0, 0.0), fwd, 0.04, 0.04, 0.0, 1.9, post);
                b.block(p(0.5, 0.0, 0.0), fwd, 0.04, 0.04, 0.0, 1.9, post);
                b.block(p(0.0, 0.0, 0.0), fwd, 0.5, 0.035, 0.75, 1.85, face);
                for (x, z0, z1, k) in [(0.0, 1.45, 1.7, 0.45), (-0.15, 0.9, 1.3, 1.6), (0.22, 0.95, 1.2, 0.7)] {
                    b.block(p(x, 0.0, 0.0), fwd, 0.17, 0.042, z0, z1, times(face, k).map(|c| c.min(0.95)));
                }
            }
            Kind::Kiosk { wall, roof } => {
                b.block(p(0.0, 0.0, 0.0), fwd, 1.3, 1.1, 0.0, 2.35, wall);
                b.quad(
                    [p(-1.0, -1.11, 1.05), p(1.0, -1.11, 1.05), p(1.0, -1.11, 1.95), p(-1.0, -1.11, 1.95)],
                    left * -1.0,
                    [0.13, 0.12, 0.11],
                );
                b.block(p(0.0, -1.25, 0.0), fwd, 1.1, 0.15, 0.98, 1.05, times(wall, 0.7));
                for side in [1.0, -1.0] {
                    b.quad(
                        [
                            p(1.305 * side, -0.7, 0.6),
                            p(1.305 * side, 0.7, 0.6),
                            p(1.305 * side, 0.7, 1.8),
                            p(1.305 * side, -0.7, 1.8),
                        ],
                        fwd * side,
                        roof,
                    );
                }
                b.block(p(0.0, 0.0, 0.0), fwd, 1.45, 1.25, 2.35, 2.55, roof);
                for i in 0..6 {
                    let x = -1.2 + 0.48 * f64::from(i);
                    let tone = if i % 2 == 0 { roof } else { [0.9, 0.9, 0.88] };
                    b.quad(
                        [
                            p(x - 0.24, -1.25, 2.3),
                            p(x + 0.24, -1.25, 2.3),
                            p(x + 0.24, -1.75, 2.0),
                            p(x - 0.24, -1.75, 2.0),
                        ],
                        v3(0.0, -0.4, 0.9),
                        tone,
                    );
                }
            }
            Kind::Shelter { color } => {
                for (x, y) in [(-1.5, 0.5), (1.5, 0.5), (-1.5, -0.4), (1.5, -0.4)] {
                    b.limb(p(x, y, 0.0), 0.04, p(x, y, 2.3), 0.04, move |_, _| color);
                }
                b.block(p(0.0, 0.4, 0.0), fwd, 1.2, 0.15, 0.42, 0.48, times(color, 0.7));
                b.block(p(0.0, 0.05, 0.0), fwd, 1.7, 0.7, 2.3, 2.4, color);
            }
        }
        b.out
    }

    fn tree(&self, b: &mut Build, leaves: Rgb, s: f64) {
        let at = self.at;
        let bark = [0.3, 0.24, 0.18];
        b.limb(at, 0.16, at + v3(0.0, 0.0, 2.5 * s), 0.1, move |u, t| {
            times(bark, 1.0 + 0.15 * (u * 8.0 + t * 30.0).sin())
        });
        let salt = (at.x * 977.0) as i64;
        for i in 0..44 {
            let h = |k: u32| f64::from(cell(i, salt, k));
            let (a, r, z) = (h(1) * std::f64::consts::TAU, h(2).sqrt() * 1.1 * s, (2.25 + 2.1 * h(3)) * s);
            let squeeze = 1.0 - ((z / s - 3.2) / 1.6).powi(2).min(0.8);
            let c = at + v3(a.cos() * r * squeeze, a.sin() * r * squeeze, z);
            let size = (0.22 + 0.26 * h(4)) * s;
            b.limb(
                c,
                size,
                c + v3((h(6) - 0.5) * 0.5, (h(7) - 0.5) * 0.5, (h(8) - 0.3) * 0.35) * s,
                size * 0.75,
                foliage(times(leaves, (0.7 + 0.6 * h(5)) as f32), i as u32),
            );
        }
    }
}

/// A surface of leaves.
fn foliage(color: Rgb, salt: u32) -> impl Fn(f32, f32) -> Rgb {
    move |u, t| {
        times(
            color,
            0.8 + 0.25 * cell((u * 7.0 + 20.0) as i64, salt as i64, 3)
                + 0.2 * cell((u * 16.0 + 20.0) as i64, (t * 13.0 + u * 5.0) as i64, salt)
                - 0.18 * (u * u),
        )
    }
}

impl<'a> Build<'a> {
    fn limb(&mut self, a: V3, ra: f64, b: V3, rb: f64, color: impl Fn(f32, f32) -> Rgb + 'a) {
        if self.camera.to_camera(a).z > 0.8 && self.camera.to_camera(b).z > 0.8 {
            self.out.push(limb(self.camera, self.lit, a, ra, b, rb, color));
        }
    }

    fn quad(&mut self, points: [V3; 4], outward: V3, color: Rgb) {
        let mid = points.iter().fold(V3::default(), |s, p| s + *p) * 0.25;
        if (mid - self.camera.position).dot(outward) >= 0.0 {
            return;
        }
        let corners = near_clip(self.camera, &points);
        if corners.len() >= 3 {
            let n = self.camera.turn(outward.unit());
            let color = self.lit.shade(color, [n.x as f32, n.y as f32, n.z as f32]);
            // Painted in the order given: later faces of one block never lie behind earlier ones.
            let order = self.camera.to_camera(mid).z as f32;
            self.out.push(Shape {
                order,
                layer: Layer::Both,
                form: Form::Face { corners, round: 0.3, color, alpha: 1.0 },
            });
        }
    }

    /// A box around a ground point: half-sizes along `fwd` and across, from `z0` to `z1`.
    #[allow(clippy::too_many_arguments, reason = "a box has that many numbers")]
    fn block(&mut self, at: V3, fwd: V3, hx: f64, hy: f64, z0: f64, z1: f64, color: Rgb) {
        let left = v3(-fwd.y, fwd.x, 0.0);
        let p = |x: f64, y: f64, z: f64| at + fwd * (x * hx) + left * (y * hy) + v3(0.0, 0.0, z);
        self.quad([p(-1.0, -1.0, z1), p(1.0, -1.0, z1), p(1.0, 1.0, z1), p(-1.0, 1.0, z1)], v3(0.0, 0.0, 1.0), color);
        for s in [1.0, -1.0] {
            self.quad([p(s, -1.0, z0), p(s, 1.0, z0), p(s, 1.0, z1), p(s, -1.0, z1)], fwd * s, color);
            self.quad([p(-1.0, s, z0), p(1.0, s, z0), p(1.0, s, z1), p(-1.0, s, z1)], left * s, color);
        }
    }
}
