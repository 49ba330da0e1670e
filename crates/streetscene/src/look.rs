//! What a person looks like: body, clothes, hair, things carried. Drawn from a continuous space, so no two are alike.

use crate::color::{cloth, hsv, times};
use crate::raster::Rgb;
use crate::rng::Rng;

/// What is printed on the upper garment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// One colour.
    Plain,
    /// Horizontal stripes; bands on the torso.
    Stripes(f32),
    /// The second colour above a height (0..1 from the neck).
    Block(f32),
    /// Dots; cells around the body.
    Dots(f32),
    /// A patch on the chest and, larger or smaller, on the back.
    Logo(f32, f32),
    /// An open jacket over a shirt; half its gap.
    Open(f32),
    /// A safety vest with two bright bands.
    Bands,
}

/// What covers the legs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lower {
    /// To the ankle.
    Trousers,
    /// To above the knee.
    Shorts,
    /// A flared skirt, its length as a share of the leg, and whether tights cover the legs.
    Skirt(f64, bool),
}

/// Hair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hair {
    /// None.
    Bald,
    /// Short.
    Short,
    /// Down to the neck.
    Bob,
    /// Down to the shoulder blades.
    Long,
    /// Tied at the back.
    Tail,
}

/// What is on the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hat {
    /// Nothing.
    None,
    /// A knitted cap.
    Beanie,
    /// A cap with a peak.
    Cap,
    /// A hat with a brim all around.
    Brim,
    /// A bicycle helmet.
    Helmet,
    /// A hood drawn up, in the colour of the garment.
    Hood,
}

/// Everything about a person's appearance.
#[derive(Debug, Clone)]
pub struct Look {
    /// Height, metres.
    pub height: f64,
    /// Breadth of the body, about 1.
    pub build: f64,
    /// Waist against hips, about 1 (less is narrower).
    pub waist: f64,
    /// Skin.
    pub skin: Rgb,
    /// Hair style.
    pub hair: Hair,
    /// Hair colour.
    pub hair_color: Rgb,
    /// A beard.
    pub beard: bool,
    /// Glasses.
    pub glasses: bool,
    /// Headgear.
    pub hat: Hat,
    /// Its colour.
    pub hat_color: Rgb,
    /// Upper garment.
    pub upper: Rgb,
    /// Second colour of the upper garment.
    pub second: Rgb,
    /// Its pattern.
    pub pattern: Pattern,
    /// 0 sleeveless, 0.5 to the elbow, 1 to the wrist.
    pub sleeve: f32,
    /// Where the upper garment ends on the torso, 0..1.
    pub hem: f32,
    /// A coat below the hem, its length as a share of the leg (0 none).
    pub coat: f64,
    /// What covers the legs.
    pub lower: Lower,
    /// Its colour.
    pub lower_color: Rgb,
    /// Shoes.
    pub shoes: Rgb,
    /// A backpack's colour.
    pub backpack: Option<Rgb>,
    /// A bag on a strap at the hip: colour, and the side (0 left, 1 right).
    pub handbag: Option<(Rgb, usize)>,
    /// A bag held in a hand: colour, and the side.
    pub shopping: Option<(Rgb, usize)>,
    /// Phase of small differences (folds, swing).
    pub quirk: f64,
}

impl Look {
    /// A person from the street.
    pub fn random(rng: &mut Rng) -> Look {
        let child = rng.chance(0.05);
        let slim = rng.chance(0.5);
        let height = if child {
            rng.range(1.2, 1.45)
        } else {
            ((if slim { 1.66 } else { 1.77 }) + 0.065 * rng.normal()).clamp(1.5, 1.98)
        };
        let tone = rng.unit();
        let skin = hsv(0.06 + rng.range(-0.015, 0.02), 0.25 + 0.38 * tone, 0.95 - 0.6 * tone * rng.range(0.6, 1.0));
        let hair_color = match rng.below(6) {
            0 | 1 => hsv(0.07, 0.3, rng.range(0.05, 0.15)),
            2 | 3 => hsv(rng.range(0.05, 0.08), rng.range(0.4, 0.65), rng.range(0.2, 0.42)),
            4 => hsv(rng.range(0.1, 0.13), rng.range(0.35, 0.6), rng.range(0.6, 0.88)),
            _ => hsv(0.1, rng.range(0.0, 0.08), rng.range(0.5, 0.85)),
        };
        let hair = match (slim, rng.below(10)) {
            (true, 0..=3) => Hair::Long,
            (true, 4 | 5) => Hair::Tail,
            (true, 6 | 7) => Hair::Bob,
            (false, 0) => Hair::Bald,
            (false, 1) => Hair::Bob,
            _ => Hair::Short,
        };
        let hat = match rng.below(14) {
            0 => Hat::Beanie,
            1 => Hat::Cap,
            2 => Hat::Brim,
            3 => Hat::Hood,
            _ => Hat::None,
        };
        let pattern = match rng.below(14) {
            0..=4 => Pattern::Plain,
            5 | 6 => Pattern::Stripes(rng.range(4.0, 11.0) as f32),
            7 | 8 => Pattern::Block(rng.range(0.25, 0.6) as f32),
            9 => Pattern::Dots(rng.range(6.0, 11.0) as f32),
            10 | 11 => Pattern::Logo(rng.range(0.18, 0.4) as f32, rng.range(0.0, 0.55) as f32),
            12 => Pattern::Open(rng.range(0.15, 0.4) as f32),
            _ => Pattern::Bands,
        };
        let upper = cloth(rng);
        let mut second = cloth(rng);
        let apart = |a: Rgb, b: Rgb| (0..3).map(|i| (a[i] - b[i]).abs()).sum::<f32>();
        if apart(upper, second) < 0.5 {
            second = if upper[1] > 0.5 { times(second, 0.25) } else { second.map(|c| 0.6 + 0.4 * c) };
        }
        let lower = match (slim, rng.below(10)) {
            (true, 0..=2) => Lower::Skirt(rng.range(0.3, 0.75), rng.chance(0.4)),
            (_, 3) => Lower::Shorts,
            (false, 4) => Lower::Shorts,
            _ => Lower::Trousers,
        };
        let lower_color = match rng.below(6) {
            0 | 1 => hsv(rng.range(0.57, 0.65), rng.range(0.35, 0.7), rng.range(0.2, 0.6)),
            2 => hsv(0.6, rng.range(0.0, 0.2), rng.range(0.06, 0.2)),
            3 => hsv(rng.range(0.07, 0.14), rng.range(0.2, 0.5), rng.range(0.4, 0.75)),
            _ => cloth(rng),
        };
        let shoes = if rng.chance(0.6) { hsv(rng.unit(), 0.3, rng.range(0.05, 0.25)) } else { cloth(rng) };
        let bags = rng.below(10);
        Look {
            height,
            build: (1.0 + 0.09 * rng.normal()).clamp(0.8, 1.28) * if slim { 0.93 } else { 1.03 },
            waist: if slim { rng.range(0.78, 0.95) } else { rng.range(0.94, 1.12) },
            skin,
            hair,
            hair_color,
            beard: !slim && !child && rng.chance(0.3),
            glasses: rng.chance(0.18),
            hat,
            hat_color: cloth(rng),
            upper,
            second,
            pattern,
            sleeve: [0.42, 0.5, 1.0, 1.0, 1.0, 0.0][rng.below(6)],
            hem: rng.range(0.74, 0.97) as f32,
            coat: if rng.chance(0.14) { rng.range(0.3, 0.62) } else { 0.0 },
            lower,
            lower_color,
            shoes,
            backpack: (bags < 3).then(|| cloth(rng)),
            handbag: (bags == 3 || bags == 4).then(|| (cloth(rng), rng.below(2))),
            shopping: (bags == 5 || rng.chance(0.08)).then(|| (cloth(rng), rng.below(2))),
            quirk: rng.range(0.0, std::f64::consts::TAU),
        }
    }

    /// The same person ready to ride a bicycle.
    pub fn on_bicycle(mut self, rng: &mut Rng) -> Look {
        self.coat = 0.0;
        self.handbag = None;
        self.shopping = None;
        if matches!(self.lower, Lower::Skirt(..)) {
            self.lower = Lower::Trousers;
        }
        if rng.chance(0.5) {
            self.hat = Hat::Helmet;
        }
        self
    }
}
