//! Light and weather of a seed.

use serde::{Deserialize, Serialize};

use crate::color::{filter, times};
use crate::geometry::{Pinhole, V3, v3};
use crate::raster::{Lit, Rgb};
use crate::rng::Rng;

/// The time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Sun or overcast.
    Day,
    /// A low sun, lamps on.
    Dusk,
    /// Lamps and headlights.
    Night,
}

impl Light {
    /// The word used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Light::Day => "day",
            Light::Dusk => "dusk",
            Light::Night => "night",
        }
    }
}

/// A street lamp's light.
#[derive(Debug, Clone, Copy)]
pub struct Lamp {
    /// The bulb.
    pub at: V3,
    /// Brightness below it, about 1.
    pub power: f32,
}

/// How a seed's world is lit.
#[derive(Debug, Clone)]
pub struct Lighting {
    /// Time of day.
    pub light: Light,
    /// Towards the sun.
    pub sun: V3,
    /// Sunlight; black when overcast and at night.
    pub direct: Rgb,
    /// Light of the sky.
    pub ambient: Rgb,
    /// Sky at the horizon and above.
    pub sky: [Rgb; 2],
    /// Colour of the street lamps.
    pub lamp: Rgb,
    /// The lamps that burn (none by day).
    pub lamps: Vec<Lamp>,
    /// How dark a shadow is, 0..1 (0 none).
    pub shadow: f32,
    /// Rain: streaks in a picture of 640 x 360 (0 none).
    pub rain: usize,
}

impl Lighting {
    /// The light of a seed; `forced` overrides its time of day.
    pub fn random(rng: &mut Rng, forced: Option<Light>) -> Lighting {
        let pick = [Light::Day, Light::Day, Light::Day, Light::Dusk, Light::Night][rng.below(5)];
        let light = forced.unwrap_or(pick);
        let azimuth = rng.range(0.0, std::f64::consts::TAU);
        let overcast = rng.chance(0.35);
        let elevation = if light == Light::Dusk { rng.range(0.22, 0.4) } else { rng.range(0.5, 1.1) };
        let sun = V3::heading(azimuth) * elevation.cos() + v3(0.0, 0.0, elevation.sin());
        let warm = rng.range(0.0, 1.0) as f32;
        let rain = if rng.chance(0.16) { 40 + rng.below(140) } else { 0 };
        let wet = if rain > 0 { 0.9 } else { 1.0 };
        let lamp = [1.0, 0.82 - 0.14 * warm, 0.62 - 0.3 * warm];
        let level = rng.range(0.88, 1.15) as f32;
        let (ambient, direct, sky, shadow) = match light {
            Light::Day if overcast || rain > 0 => {
                ([0.9, 0.93, 0.97], [0.08; 3], [[0.8, 0.82, 0.85], [0.62, 0.66, 0.72]], 0.0)
            }
            Light::Day => {
                ([0.58, 0.62, 0.7], [0.62, 0.58, 0.48 - 0.06 * warm], [[0.78, 0.86, 0.95], [0.4, 0.6, 0.88]], 0.42)
            }
            Light::Dusk => {
                let k = if overcast { 0.0 } else { 1.0 };
                ([0.56, 0.53, 0.62], [0.42 * k, 0.28 * k, 0.15 * k], [[0.8, 0.5, 0.35], [0.3, 0.3, 0.45]], 0.3 * k)
            }
            Light::Night => ([0.36, 0.37, 0.46], [0.0; 3], [[0.1, 0.1, 0.14], [0.03, 0.04, 0.08]], 0.0),
        };
        let k = level * wet;
        Lighting {
            light,
            sun,
            direct: times(direct, k),
            ambient: times(ambient, k),
            sky,
            lamp,
            lamps: Vec::new(),
            shadow,
            rain,
        }
    }

    /// Light from the lamps at a ground point: its strength, and towards its middle.
    fn lamps_at(&self, p: V3) -> (f32, V3) {
        let mut total = 0.0;
        let mut towards = v3(0.0, 0.0, 1e-3);
        for lamp in &self.lamps {
            let (dx, dy) = (p.x - lamp.at.x, p.y - lamp.at.y);
            let q = 1.0 + ((dx * dx + dy * dy) / 22.0) as f32;
            let k = lamp.power / (q * q);
            total += k;
            towards = towards + (lamp.at - p).unit() * f64::from(k);
        }
        (total, towards.unit())
    }

    /// Light on flat ground.
    pub fn ground(&self, p: V3) -> Rgb {
        let k = self.sun.z.max(0.0) as f32;
        let (lamp, _) = self.lamps_at(p);
        std::array::from_fn(|i| self.ambient[i] + self.direct[i] * k + self.lamp[i] * lamp * 0.75)
    }

    /// Light on a wall with a horizontal normal.
    pub fn wall(&self, p: V3, normal: V3) -> Rgb {
        let k = self.sun.dot(normal).max(0.0) as f32;
        let (lamp, _) = self.lamps_at(v3(p.x, p.y, 0.0));
        let lamp = lamp * (1.0 - 0.1 * p.z as f32).max(0.1);
        std::array::from_fn(|i| self.ambient[i] * 0.9 + self.direct[i] * k + self.lamp[i] * lamp * 0.6)
    }

    /// Light on an object that stands at a ground point, for a camera.
    pub fn object(&self, p: V3, camera: &Pinhole) -> Lit {
        let (lamp, towards) = self.lamps_at(p);
        let sun: f32 = self.direct.iter().sum();
        let dir = if sun > lamp { self.sun } else { towards };
        let c = camera.turn(dir);
        let direct = if sun > lamp { self.direct } else { times(self.lamp, lamp * 0.55) };
        let rest = times(self.lamp, if sun > lamp { lamp * 0.6 } else { lamp * 0.45 });
        let ambient = std::array::from_fn(|i| self.ambient[i] + rest[i]);
        Lit { ambient, direct, towards: [c.x as f32, c.y as f32, c.z as f32] }
    }

    /// The sky in a direction (its share of up, 0..1).
    pub fn sky(&self, up: f32) -> Rgb {
        crate::color::blend(self.sky[0], self.sky[1], (up * 2.5).clamp(0.0, 1.0))
    }

    /// A colour under the ambient light only.
    pub fn dim(&self, base: Rgb) -> Rgb {
        filter(base, self.ambient)
    }

    /// Whether lamps of vehicles burn.
    pub fn dark(&self) -> bool {
        self.light != Light::Day
    }
}
