//! How people move among each other: goals, the queue, pairs, keeping apart.

use super::{STEP, World};
use crate::geometry::{V3, v3};
use crate::pose::Arms;
use crate::rng::Rng;
use crate::site::Site;
use crate::walker::{Goal, Then, Walker};

impl World {
    /// Moves all people one step.
    pub(super) fn walk(&mut self, now: f64) {
        let crowd: Vec<(V3, V3, bool)> =
            self.walkers.iter().map(|w| (w.now.at, w.velocity, w.away.is_none())).collect();
        let leads: Vec<(f64, bool)> = self.walkers.iter().map(|w| (w.now.heading, w.standing.is_some())).collect();
        let cars: Vec<(V3, f64)> =
            self.cars.iter().map(|c| (c.place(&self.lanes, 1.0, false).at, c.car.length)).collect();
        for i in 0..self.walkers.len() {
            if self.walkers[i].away.is_some() {
                continue;
            }
            let mut rng = self.rng.clone();
            let (mut want, face) = self.intent(i, now, &crowd, &leads, &mut rng);
            self.rng = rng;
            let w = &self.walkers[i];
            let me = w.now.at;
            let rides = w.rides();
            let moving = want.norm() > 0.05;
            for (j, (at, velocity, here)) in crowd.iter().enumerate() {
                let pair = w.partner.is_some_and(|p| p.0 == j) || self.walkers[j].partner.is_some_and(|p| p.0 == i);
                if j == i || !here {
                    continue;
                }
                want = want
                    + avoid(me, w.velocity, *at, *velocity, if pair || w.queueing { 0.5 } else { 1.0 }, rides, moving);
            }
            // Near the goal things are passed more closely.
            let close = w.goals.front().map_or(1.0, |g| ((g.at - me).norm() / 1.5).clamp(0.3, 1.0));
            for (at, radius) in &self.obstacles {
                let d = me - *at;
                let gap = d.norm() - radius - 0.3;
                if gap < 0.8 && moving && !w.queueing {
                    let away = d.unit();
                    let side = v3(-away.y, away.x, 0.0);
                    let turn = if side.dot(want) >= 0.0 { side } else { side * -1.0 };
                    let k = close * (0.8 - gap).min(1.0);
                    want = want + away * (0.9 * k) + turn * (1.1 * k);
                }
            }
            let patient = now - w.progress.1 < 3.5;
            if moving
                && patient
                && !rides
                && Walker::on_road(&self.site, me + want * 0.8)
                && !Walker::on_road(&self.site, me)
            {
                // Nobody steps before a car.
                let ahead = me + want.unit() * 2.6;
                if cars.iter().any(|(c, len)| (c.x - ahead.x).abs() < len / 2.0 + 2.0 && (c.y - ahead.y).abs() < 3.2) {
                    want = V3::default();
                }
            }
            let most = if rides { self.walkers[i].pace } else { 1.9 };
            if want.norm() > most {
                want = want.unit() * most;
            }
            self.walkers[i].step(want, STEP, now, face);
        }
        self.keep_apart();
    }

    /// Where a person wants to go (velocity) and look.
    fn intent(
        &mut self,
        i: usize,
        now: f64,
        crowd: &[(V3, V3, bool)],
        leads: &[(f64, bool)],
        rng: &mut Rng,
    ) -> (V3, Option<f64>) {
        let queue_at = |slot: usize, site: &Site| site.queue.0 + site.queue.1 * (0.8 * slot as f64);
        if self.walkers[i].queueing {
            let slot = self.queue.iter().position(|q| *q == i).unwrap_or(0);
            let to = queue_at(slot, &self.site) - crowd[i].0;
            if slot == 0 && to.norm() < 0.6 {
                self.served += STEP;
                if self.served > 5.0 + 5.0 * (self.walkers[i].look.quirk / std::f64::consts::TAU) {
                    self.served = 0.0;
                    self.queue.retain(|q| *q != i);
                    self.walkers[i].queueing = false;
                    self.walkers[i].fresh();
                    self.walkers[i].arms = Arms::Loose;
                }
            }
            let face = (-self.site.queue.1.y).atan2(-self.site.queue.1.x);
            let want = if to.norm() > 0.12 { to.unit() * to.norm().clamp(0.3, 1.0) } else { V3::default() };
            return (want, Some(face));
        }
        let w = &mut self.walkers[i];
        if let Some((until, face)) = w.standing {
            if now < until {
                return (V3::default(), Some(face));
            }
            w.standing = None;
            w.fresh();
            w.arms = Arms::Loose;
        }
        if let Some((leader, aside)) = w.partner
            && crowd[leader].2
            && (crowd[leader].0 - w.now.at).norm() < 3.0
            && !w.rides()
        {
            w.fresh();
            let (heading, standing) = leads[leader];
            let beside = crowd[leader].0
                + V3::heading(heading + std::f64::consts::FRAC_PI_2) * if standing { aside * 0.6 } else { aside }
                + V3::heading(heading) * if standing { 0.75 } else { 0.0 };
            let to = beside - w.now.at;
            if standing && to.norm() < 0.35 {
                let look = crowd[leader].0 - w.now.at;
                if w.arms == Arms::Loose {
                    w.arms = Arms::Talk;
                }
                return (V3::default(), Some(look.y.atan2(look.x)));
            }
            let want = crowd[leader].1 + to * 0.9;
            self.skip_reached(i, now);
            return (want, None);
        }
        self.skip_reached(i, now);
        let w = &mut self.walkers[i];
        let Some(goal) = w.goals.front().copied() else {
            w.away = Some(now + rng.range(0.5, 7.0));
            w.returns = rng.chance(0.45);
            return (V3::default(), None);
        };
        let to = goal.at - w.now.at;
        let waited = w.patience(to.norm(), now);
        let near = to.norm() < 0.4 || (goal.then == Then::Queue && to.norm() < 2.2);
        let gives_up = waited > 5.0 && w.goals.len() > 1 && to.norm() < 3.0;
        if near || gives_up {
            match goal.then {
                Then::Stand(secs, arms, face) => {
                    w.standing = Some((now + secs, face));
                    w.arms = arms;
                }
                Then::Queue if self.queue.len() < 5 => {
                    w.queueing = true;
                    self.queue.push(i);
                }
                _ => {}
            }
            w.goals.pop_front();
            w.fresh();
            return (V3::default(), None);
        }
        if waited > 6.0 {
            // Go around whatever it is.
            let around = w.now.at + V3::heading(rng.range(-3.1, 3.1)) * rng.range(1.5, 3.0);
            w.goals.push_front(Goal { at: around, then: Then::Pass });
            w.fresh();
        }
        let slow = if goal.then == Then::Pass { 1.0 } else { (to.norm() / 1.2).clamp(0.35, 1.0) };
        (to.unit() * (w.pace * slow), None)
    }

    /// Drops goals that were passed closely.
    fn skip_reached(&mut self, i: usize, _now: f64) {
        let w = &mut self.walkers[i];
        let reach = if w.rides() { 2.2 } else { 0.8 };
        let led = w.partner.is_some();
        while let Some(goal) = w.goals.front() {
            if (goal.at - w.now.at).norm() < reach && (goal.then == Then::Pass || led) {
                w.goals.pop_front();
                w.fresh();
            } else {
                break;
            }
        }
    }

    /// Nobody stands in somebody else, nor in a thing.
    fn keep_apart(&mut self) {
        let n = self.walkers.len();
        for i in 0..n {
            for j in i + 1..n {
                if self.walkers[i].away.is_some() || self.walkers[j].away.is_some() {
                    continue;
                }
                let d = self.walkers[i].now.at - self.walkers[j].now.at;
                let least = 0.5 + if self.walkers[i].rides() || self.walkers[j].rides() { 0.25 } else { 0.0 };
                let gap = least - d.norm();
                if gap > 0.0 {
                    let push = if d.norm() > 1e-6 { d.unit() } else { v3(1.0, 0.0, 0.0) } * (gap * 0.3);
                    self.walkers[i].now.at = self.walkers[i].now.at + push;
                    self.walkers[j].now.at = self.walkers[j].now.at - push;
                }
            }
            if self.walkers[i].away.is_some() {
                continue;
            }
            for (at, radius) in &self.obstacles {
                let d = self.walkers[i].now.at - *at;
                let gap = radius + 0.22 - d.norm();
                if gap > 0.0 {
                    self.walkers[i].now.at = self.walkers[i].now.at + d.unit() * (gap * 0.5);
                }
            }
        }
    }
}

/// The change of velocity that keeps one person from another.
fn avoid(me: V3, mine: V3, other: V3, theirs: V3, room: f64, rides: bool, moving: bool) -> V3 {
    let d = me - other;
    let dist = d.norm();
    let far = if rides { 3.2 } else { 1.7 } * room;
    if dist > far || dist < 1e-6 || !moving {
        return V3::default();
    }
    let closing = -(mine - theirs).dot(d.unit());
    let near = 1.0 - dist / far;
    let mut push = d.unit() * (near * near * 1.2);
    if closing > 0.1 && mine.dot(d) < 0.0 {
        // Pass on the right, or on the side where one already is.
        let ahead = mine.unit();
        let right = v3(ahead.y, -ahead.x, 0.0);
        let side = d.dot(right);
        let turn = if side > -0.15 { right } else { right * -1.0 };
        push = push + turn * (near * (0.9 + closing * 0.5)) - ahead * (near * 0.3 * closing);
    }
    push
}
