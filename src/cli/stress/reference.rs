//! The answers that are expected: each model on each picture, one run at a time.

use super::super::workbench::{Image, ModelUser};
use super::compare::Answer;
use crate::inference::{FrameRef, InferenceError};

/// Expected answers, and the pictures that they are about.
pub(super) struct Reference {
    pub(super) images: Vec<Image>,
    /// By picture and model.
    answers: Vec<Vec<Answer>>,
    /// By model: largest relative difference of two runs on one picture with nobody else at work.
    pub(super) alone: Vec<f64>,
}

impl Reference {
    /// Runs each model twice on each picture, one run after the other.
    pub(super) fn take(users: &mut [ModelUser], images: Vec<Image>) -> Result<Self, InferenceError> {
        let mut answers = Vec::with_capacity(images.len());
        let mut alone = vec![0.0_f64; users.len()];
        let mut seq = 0;
        for (at, image) in images.iter().enumerate() {
            let mut of_picture = Vec::with_capacity(users.len());
            for (user, alone) in users.iter_mut().zip(&mut alone) {
                let mut run = |user: &mut ModelUser| {
                    seq += 1;
                    let frame = FrameRef { tag: (1, seq), picture: image.picture() };
                    user.prepare(&frame, batch(user, at))?;
                    user.submit();
                    user.wait()
                };
                run(user)?;
                let answer = Answer::of(user);
                run(user)?;
                *alone = alone.max(answer.difference(user));
                of_picture.push(answer);
            }
            answers.push(of_picture);
        }
        Ok(Self { images, answers, alone })
    }

    pub(super) fn answer(&self, picture: usize, model: usize) -> &Answer {
        &self.answers[picture][model]
    }

    /// Outputs that are not compared.
    pub(super) fn unread(&self) -> usize {
        self.answers.first().map_or(0, |answers| answers.iter().map(Answer::unread).sum())
    }
}

/// How many crops of a picture a model gets: another number from picture to picture, so that shapes change too.
pub(super) fn batch(user: &ModelUser, picture: usize) -> usize {
    let powers = user.max_batch().max(1).ilog2() as usize + 1;
    1 << (picture % powers)
}
