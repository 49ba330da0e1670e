//! The fixed part of a seed's world: the plan of the plaza, its furniture, its cameras.
//!
//! The plaza spans 0..24 m east and 0..18 m north. A road runs along its south edge, in some seeds another along its
//! east edge; houses stand around.

use crate::color::{cloth, hsv};
use crate::furniture::{Item, Kind};
use crate::geometry::{Pinhole, V3, v3};
use crate::light::{Lamp, Lighting};
use crate::raster::Rgb;
use crate::rng::Rng;

/// Size of the plaza, metres.
pub const SIZE: (f64, f64) = (24.0, 18.0);
/// The south road lies between these, metres north.
pub const ROAD: (f64, f64) = (-6.6, -0.4);
/// The east road lies between these, metres east.
pub const EAST: (f64, f64) = (24.6, 30.8);

/// How one camera's picture is spoilt.
#[derive(Debug, Clone, Copy)]
pub struct Optics {
    /// Deviation of the sensor's noise, 0..255.
    pub noise: f64,
    /// Blur, 0..1: weight of the neighbours.
    pub blur: f32,
    /// Size of the shaking, pixels (0 none).
    pub shake: f64,
    /// Size of the exposure's drift, share.
    pub drift: f64,
    /// Gain per channel: exposure and white balance.
    pub gain: Rgb,
    /// Phase of shaking and drift.
    pub phase: f64,
}

/// The plan of a seed.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where the noise of textures starts.
    pub salt: u32,
    /// Whether there is a road along the east edge.
    pub east_road: bool,
    /// East coordinate of the pedestrian crossing's middle.
    pub crossing: f64,
    /// The kiosk's middle.
    pub kiosk: V3,
    /// Where its queue starts, and the direction in which the queue grows.
    pub queue: (V3, V3),
    /// The bus stop's middle.
    pub stop: V3,
    /// Doors of houses, on the ground.
    pub doors: Vec<V3>,
    /// Everything that stands around.
    pub items: Vec<Item>,
    /// Light and weather.
    pub lighting: Lighting,
    /// Paving: two colours, joints, size of a tile in metres, style.
    pub paving: (Rgb, Rgb, f64, usize),
    /// Ground around the plaza, asphalt, grass.
    pub grounds: [Rgb; 3],
    /// Lawns: middle and half sizes.
    pub lawns: Vec<(V3, f64, f64)>,
    /// Base colour of the houses.
    pub houses: Rgb,
    /// The cameras.
    pub cameras: Vec<(Pinhole, Optics)>,
}

impl Site {
    /// The plan of a seed for pictures of a size.
    pub fn new(seed: u64, lighting: Lighting, width: u32, height: u32) -> Site {
        let mut rng = Rng::new(seed, 1);
        let r = &mut rng;
        let crossing = r.range(6.0, 18.0);
        let kiosk = v3(r.range(7.0, 17.0), r.range(13.0, 15.5), 0.0);
        let stop = v3(if crossing > 12.0 { r.range(3.5, 6.5) } else { r.range(17.5, 20.5) }, 1.3, 0.0);
        let a = r.range(-0.5, 0.5);
        let queue = (kiosk + v3(0.2, -2.05, 0.0), v3(a.sin(), -a.cos(), 0.0));
        let tone = r.range(0.35, 0.72);
        let hue = r.range(0.03, 0.13);
        let first = hsv(hue, r.range(0.02, 0.28), tone);
        let second = hsv(hue + r.range(-0.06, 0.06), r.range(0.02, 0.3), tone * r.range(0.72, 1.15));
        let paving = (first, second, r.range(0.35, 1.3), r.below(5));
        let grey = r.range(0.22, 0.38);
        let grounds = [
            hsv(0.1, r.range(0.0, 0.2), r.range(0.4, 0.65)),
            hsv(0.6, 0.04, grey),
            hsv(r.range(0.2, 0.3), r.range(0.35, 0.6), r.range(0.3, 0.48)),
        ];
        let mut lawns = Vec::new();
        for _ in 0..r.below(4) {
            lawns.push((v3(r.range(1.0, 23.0), r.range(3.0, 17.0), 0.0), r.range(1.0, 3.0), r.range(0.8, 2.2)));
        }
        let doors = vec![
            v3(r.range(2.0, 7.0), 21.6, 0.0),
            v3(r.range(16.0, 22.0), 21.6, 0.0),
            v3(-4.6, r.range(5.0, 12.0), 0.0),
        ];
        let mut site = Site {
            salt: r.next_u64() as u32,
            east_road: r.chance(0.5),
            crossing,
            kiosk,
            queue,
            stop,
            doors,
            items: Vec::new(),
            lighting,
            paving,
            grounds,
            lawns,
            houses: hsv(r.range(0.02, 0.14), r.range(0.05, 0.45), r.range(0.45, 0.85)),
            cameras: Vec::new(),
        };
        site.furnish(r);
        site.place_cameras(r, width, height);
        site
    }

    fn furnish(&mut self, r: &mut Rng) {
        let kiosk_colors = (cloth(r), cloth(r));
        self.items.push(Item::new(Kind::Kiosk { wall: kiosk_colors.0, roof: kiosk_colors.1 }, self.kiosk, 0.0));
        let shelter = cloth(r);
        self.items.push(Item::new(Kind::Shelter { color: shelter }, self.stop, 0.0));
        // Lamps first, so that each light has its post.
        let post = hsv(0.4, r.range(0.0, 0.4), r.range(0.1, 0.45));
        for (x, y) in [(1.0, 0.9), (12.0, 0.8), (23.2, 0.9), (4.0, 17.2), (20.0, 17.2), (11.8, 9.0)] {
            let at = v3(x + r.range(-1.0, 1.0), y + r.range(-0.3, 0.3), 0.0);
            if self.free(at, 0.8) && (at.x - self.crossing).abs() > 2.2 {
                self.items.push(Item::new(Kind::Lamp { color: post, on: self.lighting.dark() }, at, 0.0));
                if self.lighting.dark() {
                    let night = if self.lighting.light == crate::light::Light::Night { 1.0 } else { 0.35 };
                    self.lighting
                        .lamps
                        .push(Lamp { at: at + v3(0.0, 0.0, 4.2), power: night * r.range(0.75, 1.1) as f32 });
                }
            }
        }
        for door in self.doors.clone() {
            if self.lighting.dark() {
                self.lighting.lamps.push(Lamp { at: door + v3(0.0, 0.0, 3.0), power: 0.4 });
            }
        }
        let far = v3(self.crossing + 6.0, -8.0, 4.2);
        if self.lighting.dark() {
            self.lighting.lamps.push(Lamp { at: far, power: 0.5 });
            self.lighting.lamps.push(Lamp { at: far + v3(-14.0, 0.0, 0.0), power: 0.5 });
        }
        let bollard = hsv(r.unit(), r.range(0.0, 0.6), r.range(0.2, 0.8));
        let step = r.range(1.6, 3.2);
        let mut x = r.range(0.5, 2.0);
        while x < 23.5 {
            let at = v3(x, 0.35, 0.0);
            if (x - self.crossing).abs() > 2.0 && self.free(at, 0.3) {
                self.items.push(Item::new(Kind::Bollard { color: bollard }, at, 0.0));
            }
            x += step;
        }
        let trees = 2 + r.below(4);
        for _ in 0..trees {
            let green = hsv(r.range(0.14, 0.33), r.range(0.3, 0.7), r.range(0.22, 0.5));
            let size = r.range(0.8, 1.25);
            self.scatter(r, 1.1, |_| Kind::Tree { leaves: green, size });
        }
        for _ in 0..2 + r.below(3) {
            let wood = hsv(0.08, r.range(0.2, 0.6), r.range(0.25, 0.65));
            self.scatter(r, 1.2, |_| Kind::Bench { wood });
        }
        for _ in 0..1 + r.below(4) {
            let (pot, size) = (hsv(r.range(0.02, 0.15), r.range(0.0, 0.5), r.range(0.3, 0.75)), r.range(0.8, 1.5));
            let leaf = hsv(r.range(0.2, 0.36), 0.55, r.range(0.25, 0.5));
            self.scatter(r, 1.0, |_| Kind::Planter { pot, leaf, size });
        }
        for _ in 0..r.below(3) {
            let color = cloth(r);
            self.scatter(r, 0.7, |_| Kind::Bin { color });
        }
        for _ in 0..r.below(3) {
            let (face, post) = (cloth(r), cloth(r));
            self.scatter(r, 0.8, |_| Kind::Board { face, post });
        }
    }

    /// Puts a thing somewhere free on the plaza.
    fn scatter(&mut self, r: &mut Rng, room: f64, kind: impl Fn(f64) -> Kind) {
        for _ in 0..20 {
            let at = v3(r.range(1.5, 22.5), r.range(2.2, 17.0), 0.0);
            let near_crossing = (at.x - self.crossing).abs() < 2.0 && at.y < 4.0;
            let in_queue = (at - self.queue.0).norm() < 3.5;
            if self.free(at, room) && !near_crossing && !in_queue {
                let turn = [0.0, std::f64::consts::FRAC_PI_2, r.range(0.0, 3.1)][r.below(3)];
                self.items.push(Item::new(kind(turn), at, turn));
                return;
            }
        }
    }

    /// Whether nothing stands within `room` of a place.
    pub fn free(&self, at: V3, room: f64) -> bool {
        self.items.iter().all(|i| (i.at - at).norm() > i.radius + room)
    }

    fn place_cameras(&mut self, r: &mut Rng, width: u32, height: u32) {
        let spots = [
            (
                v3(r.range(0.0, 3.0), r.range(14.0, 17.0), r.range(3.5, 5.0)),
                v3(r.range(11.0, 14.5), r.range(3.0, 6.5), 0.0),
            ),
            (
                v3(r.range(21.0, 24.0), r.range(13.5, 17.0), r.range(3.5, 5.2)),
                v3(r.range(9.0, 13.0), r.range(4.0, 8.0), 0.0),
            ),
            (
                v3(r.range(3.0, 20.0), r.range(-8.6, -7.4), r.range(4.4, 6.0)),
                v3(r.range(9.5, 14.5), r.range(6.0, 10.0), 0.0),
            ),
            (
                v3(r.range(-1.5, 1.5), r.range(0.8, 6.0), r.range(3.5, 5.0)),
                v3(r.range(9.0, 13.0), r.range(7.0, 12.0), 0.0),
            ),
        ];
        for (position, aim) in spots {
            let to = aim - position;
            let yaw = to.y.atan2(to.x) + r.range(-0.06, 0.06);
            let pitch = (0.25 + (position.z - 3.5) * 0.055 + r.range(-0.03, 0.06)).clamp(0.22, 0.46);
            let view = r.range(31.0f64, 41.0).to_radians();
            let focal = f64::from(width) / 2.0 / (view / 2.0).tan();
            let night = self.lighting.dark();
            let tint = r.range(-0.05, 0.05) as f32;
            let gain = r.range(0.92, 1.1) as f32;
            let optics = Optics {
                noise: if night { r.range(3.5, 9.0) } else { r.range(1.2, 4.0) },
                blur: if r.chance(0.45) { r.range(0.1, 0.75) as f32 } else { 0.0 },
                shake: if r.chance(0.35) { r.range(0.6, 2.6) } else { 0.0 },
                drift: r.range(0.0, 0.07),
                gain: [gain * (1.0 + tint), gain, gain * (1.0 - tint)],
                phase: r.range(0.0, 100.0),
            };
            self.cameras.push((Pinhole::new(position, yaw, pitch, focal, width, height), optics));
        }
        // No thing stands right before a lens.
        let eyes: Vec<V3> = self.cameras.iter().map(|c| c.0.position).collect();
        self.items.retain(|i| {
            eyes.iter().all(|e| {
                v3(e.x - i.at.x, e.y - i.at.y, 0.0).norm() > if matches!(i.kind, Kind::Tree { .. }) { 5.5 } else { 3.5 }
            })
        });
    }
}
