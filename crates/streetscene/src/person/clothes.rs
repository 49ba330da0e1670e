//! The colours of garment and head at a surface direction.

use crate::color::{blend, times};
use crate::look::{Hair, Hat, Look, Pattern};
use crate::raster::Rgb;

/// The colour of the upper garment at a surface direction (forward, left) and height (0 neck, 1 bottom).
pub(super) fn garment(look: &Look, body: [f32; 2], t: f32) -> Rgb {
    let fold = 1.0 + 0.05 * (t * 19.0 + body[1] * 4.0 + look.quirk as f32).sin();
    let base = times(look.upper, fold);
    let second = times(look.second, fold);
    let yes = match look.pattern {
        Pattern::Plain => false,
        Pattern::Stripes(n) => (t * n).rem_euclid(1.0) < 0.5,
        Pattern::Block(at) => t < at,
        Pattern::Dots(n) => {
            let a = body[1].atan2(body[0]) * n / 3.2;
            let v = t * n;
            let row = v.floor();
            let (du, dv) = ((a + 0.5 * (row as i32 % 2) as f32).rem_euclid(1.0) - 0.5, v - row - 0.5);
            du * du + dv * dv < 0.09
        }
        Pattern::Logo(front, back) => {
            let size = if body[0] > 0.0 { front } else { back };
            body[0].abs() > 0.3 && body[1].abs() < size * 1.6 && (0.24..0.24 + size).contains(&t)
        }
        Pattern::Open(gap) => body[0] > 0.0 && body[1].abs() < gap,
        Pattern::Bands => {
            if (0.42..0.5).contains(&t) || (0.66..0.74).contains(&t) {
                return times([0.88, 0.9, 0.82], fold);
            }
            (0.42..0.6).contains(&body[1].abs()) && t < 0.42
        }
    };
    // A collar, and darker under the arms.
    let shade = if t < 0.05 { 0.75 } else { 1.0 };
    times(if yes { second } else { base }, shade)
}

/// The colour of the head at a surface direction: forward, left, up.
pub(super) fn skull(look: &Look, on: [f32; 3]) -> Rgb {
    let [f, l, up] = on;
    match look.hat {
        Hat::Beanie if up > 0.22 + 0.12 * f => {
            return times(look.hat_color, if up < 0.4 + 0.12 * f { 0.75 } else { 1.0 });
        }
        Hat::Cap if up > 0.3 + 0.05 * f => return look.hat_color,
        Hat::Brim if up > 0.4 => return look.hat_color,
        Hat::Helmet if up > 0.2 + 0.2 * f => {
            return if (l * 4.0).rem_euclid(2.0) < 0.5 { times(look.hat_color, 0.3) } else { look.hat_color };
        }
        Hat::Hood if f < 0.5 || up > 0.6 => return times(look.upper, 0.95),
        _ => {}
    }
    let line = match look.hair {
        Hair::Bald => 2.0,
        Hair::Short | Hair::Tail => -0.08 + 0.62 * f,
        Hair::Bob | Hair::Long => -0.55 + 1.05 * f,
    };
    if up > line && (f < 0.97 || up > 0.5) {
        return times(look.hair_color, 1.0 + 0.15 * (l * 11.0 + f * 7.0).sin());
    }
    if f > 0.2 {
        let a = l.abs();
        if look.glasses && (0.0..0.26).contains(&up) {
            return [0.06, 0.06, 0.08];
        }
        let (de, du) = (a - 0.36, up - 0.1);
        if de * de + du * du * 2.0 < 0.018 {
            return if de * de + du * du * 2.0 < 0.008 {
                [0.05, 0.04, 0.04]
            } else {
                blend(look.skin, [0.9, 0.9, 0.9], 0.6)
            };
        }
        if (0.25..0.33).contains(&up) && (0.18..0.55).contains(&a) {
            return blend(look.skin, look.hair_color, 0.7);
        }
        if a < 0.24 && (-0.55..-0.45).contains(&up) {
            return blend(look.skin, [0.45, 0.12, 0.12], 0.65);
        }
        if look.beard && up < -0.3 {
            return blend(look.skin, look.hair_color, 0.8);
        }
    }
    look.skin
}
