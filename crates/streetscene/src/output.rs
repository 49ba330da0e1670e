//! Writes a seed's pictures and truth in the formats that training and evaluation read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::truth::{Class, FrameTruth};
use crate::view::Frame;
use crate::world::World;

/// File format of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Images {
    /// JPEG.
    Jpg,
    /// PNG.
    Png,
}

/// What to write.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Folder that gets one folder per seed.
    pub out: PathBuf,
    /// Camera indices.
    pub cameras: Vec<usize>,
    /// Pictures, if wanted.
    pub images: Option<Images>,
    /// JPEG quality, 1..100.
    pub quality: u8,
    /// Frames a second as stated in `cameras.json`.
    pub fps: f64,
}

/// The writer of one seed.
pub struct Writer {
    folder: PathBuf,
    plan: Plan,
    truth: BufWriter<File>,
    crossings: BufWriter<File>,
    mot: BTreeMap<String, BufWriter<File>>,
    images: Vec<serde_json::Value>,
    annotations: Vec<serde_json::Value>,
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?))
}

impl Writer {
    /// Makes the folders of a seed and writes `cameras.json`.
    ///
    /// # Errors
    /// Where a folder or file cannot be written; the message names it.
    pub fn new(plan: &Plan, world: &World, seed: u64) -> Result<Writer> {
        let folder = plan.out.join(format!("seed-{seed:06}"));
        let mut mot = BTreeMap::new();
        for index in &plan.cameras {
            let id = &world.cameras()[*index].id;
            let at = folder.join(id);
            let deepest = if plan.images.is_some() { at.join("img") } else { at.clone() };
            fs::create_dir_all(&deepest).with_context(|| format!("cannot make {}", deepest.display()))?;
            mot.insert(id.clone(), create(&at.join("gt.txt"))?);
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let cameras: Vec<_> = plan.cameras.iter().map(|i| &world.cameras()[*i]).collect();
        let info = json!({
            "schema": "streetscene-cameras/1", "seed": seed, "light": world.light().name(), "fps": plan.fps,
            "world": {"width_m": crate::site::SIZE.0, "depth_m": crate::site::SIZE.1}, "cameras": cameras,
        });
        let path = folder.join("cameras.json");
        fs::write(&path, serde_json::to_vec_pretty(&info)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Writer {
            truth: create(&folder.join("truth.jsonl"))?,
            crossings: create(&folder.join("crossings.jsonl"))?,
            folder,
            plan: plan.clone(),
            mot,
            images: Vec::new(),
            annotations: Vec::new(),
        })
    }

    /// Adds a frame: its line of truth, its boxes, its picture.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn frame(&mut self, frame: &Frame, truth: &FrameTruth) -> Result<()> {
        serde_json::to_writer(&mut self.truth, truth)?;
        self.truth.write_all(b"\n")?;
        if let Some(mot) = self.mot.get_mut(&truth.camera) {
            for o in &truth.objects {
                let [x1, y1, x2, y2] = o.bounds;
                let counts = u8::from(!o.ignore);
                writeln!(
                    mot,
                    "{},{},{},{},{},{},{},{},{:.4}",
                    truth.frame,
                    o.track,
                    x1,
                    y1,
                    x2 - x1,
                    y2 - y1,
                    counts,
                    o.class.number(),
                    o.visibility
                )?;
            }
        }
        let extension = if self.plan.images == Some(Images::Png) { "png" } else { "jpg" };
        let name = format!("{}/img/{:06}.{extension}", truth.camera, truth.frame);
        self.coco(truth, &name);
        if let Some(format) = self.plan.images {
            save(frame, &self.folder.join(&name), format, self.plan.quality)?;
        }
        Ok(())
    }

    fn coco(&mut self, truth: &FrameTruth, name: &str) {
        let image = self.images.len() + 1;
        self.images.push(json!({"id": image, "file_name": name, "width": truth.width, "height": truth.height,
            "camera": truth.camera, "frame": truth.frame, "time_s": truth.time_s}));
        for o in &truth.objects {
            let [x1, y1, x2, y2] = o.bounds;
            let area: u32 = o.mask.counts.iter().skip(1).step_by(2).sum();
            let mut a = json!({"id": self.annotations.len() + 1, "image_id": image, "category_id": o.class.number(),
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": u8::from(o.ignore), "segmentation": o.mask,
                "track": o.track, "identity": o.identity});
            if o.class == Class::Person
                && let Some(points) = &o.keypoints
            {
                let flat: Vec<f64> = points.iter().flatten().map(|v| (f64::from(*v) * 100.0).round() / 100.0).collect();
                a["num_keypoints"] = json!(points.iter().filter(|p| p[2] > 0.0).count());
                a["keypoints"] = json!(flat);
            }
            self.annotations.push(a);
        }
    }

    /// Adds the crossings since the last call that happened at a written camera.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn crossings(&mut self, world: &mut World) -> Result<()> {
        for c in world.take_crossings() {
            if self.mot.contains_key(&c.camera) {
                serde_json::to_writer(&mut self.crossings, &c)?;
                self.crossings.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// Writes `coco.json` and ends all files.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        let skeleton = [
            [16, 14],
            [14, 12],
            [17, 15],
            [15, 13],
            [12, 13],
            [6, 12],
            [7, 13],
            [6, 7],
            [6, 8],
            [7, 9],
            [8, 10],
            [9, 11],
            [2, 3],
            [1, 2],
            [1, 3],
            [2, 4],
            [3, 5],
            [4, 6],
            [5, 7],
        ];
        let names = [
            "nose",
            "left_eye",
            "right_eye",
            "left_ear",
            "right_ear",
            "left_shoulder",
            "right_shoulder",
            "left_elbow",
            "right_elbow",
            "left_wrist",
            "right_wrist",
            "left_hip",
            "right_hip",
            "left_knee",
            "right_knee",
            "left_ankle",
            "right_ankle",
        ];
        let coco = json!({
            "info": {"description": "streetscene"},
            "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": skeleton}, {"id": 2, "name": "bicycle"}, {"id": 3, "name": "car"}],
            "images": self.images, "annotations": self.annotations,
        });
        let mut file = create(&self.folder.join("coco.json"))?;
        serde_json::to_writer(&mut file, &coco)?;
        file.flush()?;
        self.truth.flush()?;
        self.crossings.flush()?;
        for mot in self.mot.values_mut() {
            mot.flush()?;
        }
        Ok(())
    }
}

/// Writes one picture.
///
/// # Errors
/// Where the file cannot be written; the message names it.
pub fn save(frame: &Frame, path: &Path, format: Images, quality: u8) -> Result<()> {
    let rgb: Vec<u8> = frame.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let mut file = create(path)?;
    let (w, h, kind) = (frame.width, frame.height, image::ExtendedColorType::Rgb8);
    let done = match format {
        Images::Jpg => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality).encode(&rgb, w, h, kind),
        Images::Png => {
            image::ImageEncoder::write_image(image::codecs::png::PngEncoder::new(&mut file), &rgb, w, h, kind)
        }
    };
    done.with_context(|| format!("cannot write {}", path.display()))?;
    file.flush().with_context(|| format!("cannot write {}", path.display()))
}
