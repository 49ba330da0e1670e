//! The objects of one frame: tracks, and what further models say of each.

use super::embedding::Embeddings;
use super::mask::{MaskRef, Masks};
use super::pose::Keypoint;
use super::track::Track;

/// Confirmed tracks of one frame with what was found of them in it. Its memory is used again.
#[derive(Debug, Default)]
pub struct FrameObjects {
    tracks: Vec<Track>,
    /// By track.
    details: Vec<Detail>,
    keypoints: Vec<Keypoint>,
    masks: Masks,
    embeddings: Embeddings,
}

#[derive(Clone, Copy, Debug, Default)]
struct Detail {
    /// Start and number of its keypoints.
    pose: Option<(usize, usize)>,
    mask: Option<usize>,
    embedding: Option<usize>,
}

impl FrameObjects {
    /// Empty, with room for `tracks` tracks.
    #[must_use]
    pub fn with_capacity(tracks: usize) -> Self {
        Self { tracks: Vec::with_capacity(tracks), details: Vec::with_capacity(tracks), ..Self::default() }
    }

    /// Takes in the tracks of a frame, of which nothing more is known yet.
    pub fn set_tracks(&mut self, tracks: impl Iterator<Item = Track>) {
        self.tracks.clear();
        self.tracks.extend(tracks);
        self.details.clear();
        self.details.resize(self.tracks.len(), Detail::default());
        self.keypoints.clear();
        self.masks.clear();
        self.embeddings.clear();
    }

    /// The tracks; their places are the indices of everything else.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Its keypoints in this frame, pixels of the frame; `None` where no pose model looked, or none was found.
    #[must_use]
    pub fn pose(&self, track: usize) -> Option<&[Keypoint]> {
        let (start, count) = self.details.get(track)?.pose?;
        self.keypoints.get(start..start + count)
    }

    /// Its mask in this frame; `None` where no segmentation model looked, or none was found.
    #[must_use]
    pub fn mask(&self, track: usize) -> Option<MaskRef<'_>> {
        self.masks.get(self.details.get(track)?.mask?)
    }

    /// Its embedding in this frame, of length 1; `None` where no ReID model looked.
    #[must_use]
    pub fn embedding(&self, track: usize) -> Option<&[f32]> {
        self.embeddings.get(self.details.get(track)?.embedding?)
    }

    /// Gives a track its keypoints.
    pub fn set_pose(&mut self, track: usize, keypoints: &[Keypoint]) {
        if let Some(detail) = self.details.get_mut(track) {
            detail.pose = Some((self.keypoints.len(), keypoints.len()));
            self.keypoints.extend_from_slice(keypoints);
        }
    }

    /// Gives a track its mask.
    pub fn set_mask(&mut self, track: usize, mask: MaskRef<'_>) {
        if let Some(detail) = self.details.get_mut(track) {
            detail.mask = Some(self.masks.len());
            self.masks.push(mask.x, mask.y, mask.width, mask.height).copy_from_slice(mask.pixels);
        }
    }

    /// Gives a track its embedding; those of one frame are all of one length.
    pub fn set_embedding(&mut self, track: usize, embedding: &[f32]) {
        if let Some(detail) = self.details.get_mut(track) {
            detail.embedding = Some(self.embeddings.len());
            self.embeddings.push_copy(embedding);
        }
    }
}
