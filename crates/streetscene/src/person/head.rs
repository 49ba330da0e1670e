//! Draws a head: face, ears, nose, hair, hat.

use super::clothes::skull;
use super::{Figure, small};
use crate::color::times;
use crate::geometry::{Seen, v3};
use crate::look::{Hair, Hat};
use crate::raster::{Form, Layer, Paint, Shape};

impl Figure<'_> {
    pub(super) fn head(&mut self) {
        let (look, j) = (self.look, self.j);
        let camera = self.camera;
        let k = 0.3 + 0.7 * look.height / 1.75;
        let c = camera.to_camera(j.head);
        let seen = camera.place(c);
        let scale = camera.scale(c.z);
        let axes = [j.gaze, j.gaze_left, j.crown].map(|d| small(camera.turn(d)));
        let up = axes[2];
        let len = up[0].hypot(up[1]).max(1e-3);
        // The ellipse's second axis points from the crown to the chin.
        let axis = [-up[0] / len, -up[1] / len];
        let bob = look.hat == Hat::Hood || matches!(look.hat, Hat::Helmet | Hat::Beanie);
        let grow = if bob { 1.09 } else { 1.0 };
        let rx = (0.079 * k * scale) as f32 * grow;
        let ry = (0.118 * k * scale) as f32 * (len * len + 0.6 * (1.0 - len * len)).sqrt() * grow.sqrt();
        let lit = self.lit;
        let paint: Paint = Box::new(move |u, v| {
            let n = [axis[1] * u + axis[0] * v, -axis[0] * u + axis[1] * v, -(1.0 - u * u - v * v).max(0.0).sqrt()];
            let on = axes.map(|a| a[0] * n[0] + a[1] * n[1] + a[2] * n[2]);
            lit.shade(skull(look, on), n)
        });
        let order = seen.z - 0.06;
        self.shapes.push(Shape { order, layer: Layer::Both, form: Form::Ball { c: seen, rx, ry, axis, paint } });
        let hidden = matches!(look.hair, Hair::Long | Hair::Bob) || matches!(look.hat, Hat::Hood | Hat::Helmet);
        for sign in [1.0, -1.0] {
            if !hidden {
                let ear = j.head + j.gaze_left * (sign * 0.078 * k) + j.crown * (-0.012 * k);
                let tone = times(look.skin, 0.9);
                self.limb(
                    ear + j.crown * (0.02 * k),
                    0.016 * k,
                    ear + j.crown * (-0.015 * k),
                    0.012 * k,
                    0.06,
                    move |_, _| tone,
                );
            }
        }
        let nose = j.head + j.gaze * (0.092 * k) + j.crown * (-0.02 * k);
        let tone = times(look.skin, 0.96);
        if axes[0][2] < 0.3 && look.hat != Hat::Hood {
            self.limb(
                nose + j.crown * (0.02 * k),
                0.007 * k,
                nose + j.crown * (-0.006 * k),
                0.014 * k,
                0.08,
                move |_, _| tone,
            );
        }
        self.hair_and_hat(k);
    }

    fn hair_and_hat(&mut self, k: f64) {
        let (look, j) = (self.look, self.j);
        let hair = look.hair_color;
        let strand = move |u: f32, t: f32| times(hair, 1.0 + 0.12 * (u * 9.0 + t * 2.0).sin());
        let back = j.head + j.gaze * (-0.045 * k);
        match look.hair {
            Hair::Long => {
                self.limb(
                    back + j.crown * (0.01 * k),
                    0.083 * k,
                    back + j.gaze * (-0.03 * k) + v3(0.0, 0.0, -0.24 * k),
                    0.07 * k,
                    0.0,
                    strand,
                );
            }
            Hair::Bob => self.limb(back, 0.084 * k, back + v3(0.0, 0.0, -0.09 * k), 0.078 * k, 0.0, strand),
            Hair::Tail => {
                let knot = j.head + j.gaze * (-0.1 * k) + j.crown * (0.03 * k);
                self.limb(
                    knot,
                    0.028 * k,
                    knot + j.gaze * (-0.05 * k) + v3(0.0, 0.0, -0.2 * k),
                    0.022 * k,
                    0.0,
                    strand,
                );
            }
            _ => {}
        }
        let tone = look.hat_color;
        let brow = j.head + j.crown * (0.052 * k);
        match look.hat {
            Hat::Cap => {
                let dark = times(tone, 0.8);
                self.limb(
                    brow + j.gaze * (0.07 * k),
                    0.05 * k,
                    brow + j.gaze * (0.13 * k),
                    0.035 * k,
                    0.09,
                    move |_, t| times(dark, 1.0 - 0.2 * t),
                );
            }
            Hat::Brim => {
                let disc = |r: f64| -> Vec<Seen> {
                    (0..16)
                        .map(|i| {
                            let a = f64::from(i) * std::f64::consts::TAU / 16.0;
                            self.camera
                                .place(self.camera.to_camera(brow + (j.gaze * a.cos() + j.gaze_left * a.sin()) * r))
                        })
                        .collect()
                };
                let corners = disc(0.17 * k);
                let color = self.lit.shade(times(tone, 0.85), small(self.camera.turn(j.crown)));
                let order = self.camera.to_camera(j.head).z as f32 - 0.1;
                self.shapes.push(Shape {
                    order,
                    layer: Layer::Both,
                    form: Form::Face { corners, round: 0.5, color, alpha: 1.0 },
                });
                self.limb(
                    brow + j.crown * (0.015 * k),
                    0.088 * k,
                    brow + j.crown * (0.05 * k),
                    0.07 * k,
                    0.16,
                    move |_, _| tone,
                );
            }
            _ => {}
        }
    }
}
