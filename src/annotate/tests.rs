#![allow(clippy::unwrap_used)]

use super::*;
use crate::types::geometry::BBox;

const GREY: Rgb = [90; 3];
const RED: Rgb = [255, 0, 0];

fn grey(width: usize, height: usize) -> Canvas {
    Canvas::from_rgb(width, height, vec![90; width * height * 3]).unwrap()
}

fn changed(canvas: &Canvas) -> usize {
    canvas.rgb().chunks_exact(3).filter(|p| **p != GREY).count()
}

fn everything(canvas: &mut Canvas, dx: f32, dy: f32) {
    let b = BBox::new(dx, dy, dx + 20.0, dy + 30.0);
    canvas.bbox(&b, RED);
    canvas.label(&b, "person 12 #3 .91", RED);
    canvas.text(dx, dy, "gate", RED);
    canvas.mask(&Mask { x: dx as i32, y: dy as i32, width: 4, height: 3, data: &[1; 12] }, RED);
    let points: Vec<_> = (0..17).map(|i| (dx + i as f32, dy + (i * i % 7) as f32, 0.9)).collect();
    canvas.skeleton(&points, 0.3, RED);
    canvas.polygon(&[(dx, dy), (dx + 9.0, dy), (dx, dy + 9.0)], RED, 0.3);
    canvas.line((dx, dy), (dx + 20.0, dy + 5.0), RED);
}

#[test]
fn drawing_outside_neither_panics_nor_writes() {
    let mut canvas = grey(64, 48);
    for (dx, dy) in [(-500.0, 10.0), (500.0, 10.0), (10.0, -500.0), (10.0, 500.0), (-3e9, -3e9), (1e38, -1e38)] {
        everything(&mut canvas, dx, dy);
        assert_eq!(changed(&canvas), 0, "at {dx} {dy}");
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let box_of_it = BBox::new(bad, bad, bad, bad);
        canvas.bbox(&box_of_it, RED);
        canvas.label(&box_of_it, "x", RED);
        canvas.text(bad, 0.0, "x", RED);
        canvas.skeleton(&[(bad, bad, 0.9); 17], 0.3, RED);
        canvas.skeleton(&[(3.0, 3.0, bad.min(0.0)); 17], 0.3, RED);
        canvas.polygon(&[(bad, 0.0), (9.0, 0.0), (0.0, 9.0)], RED, 0.3);
        canvas.line((bad, 0.0), (9.0, 0.0), RED);
        assert_eq!(changed(&canvas), 0, "{bad}");
    }
    everything(&mut canvas, 55.0, 40.0);
    assert!(changed(&canvas) > 0, "half inside is drawn");
    for (width, height) in [(0, 0), (0, 5), (5, 0), (1, 1)] {
        everything(&mut grey(width, height), 0.0, 0.0);
    }
}

#[test]
fn a_short_mask_ends_where_its_data_ends() {
    let mut canvas = grey(16, 16);
    canvas.mask(&Mask { x: -2, y: 0, width: 4, height: usize::MAX, data: &[1; 10] }, RED);
    // Rows 0 and 1 show two of four columns, row 2 has its first two only, left of the picture.
    assert_eq!(changed(&canvas), 4);
}

#[test]
fn a_box_is_drawn_inwards_from_its_edges() {
    let mut canvas = grey(40, 40);
    canvas.bbox(&BBox::new(10.0, 20.0, 30.0, 35.0), RED);
    assert_eq!(canvas.pixel(10, 20), Some(RED));
    assert_eq!(canvas.pixel(29, 34), Some(RED));
    assert_eq!([canvas.pixel(9, 20), canvas.pixel(30, 34), canvas.pixel(20, 27)], [Some(GREY); 3]);
    assert_eq!(changed(&canvas), 20 * 15 - 16 * 11, "two pixels wide all around");
    canvas.bbox(&BBox::new(2.0, 2.0, 3.0, 3.0), RED);
    assert_eq!(canvas.pixel(2, 2), Some(RED), "a box thinner than its line");
    assert_eq!([canvas.pixel(1, 2), canvas.pixel(3, 2), canvas.pixel(2, 3)], [Some(GREY); 3]);
}

#[test]
fn a_label_stays_readable_at_every_edge() {
    let text = "person 12";
    let (width, height) = grey(200, 100).text_size(text);
    assert_eq!((width, height), (9 * 8 + 2, 10));
    for corner in [(0.0, 0.0), (190.0, 0.0), (0.0, 95.0), (190.0, 95.0), (-5.0, -5.0), (60.0, 50.0)] {
        let mut canvas = grey(200, 100);
        canvas.label(&BBox::new(corner.0, corner.1, corner.0 + 20.0, corner.1 + 20.0), text, RED);
        assert_eq!(changed(&canvas), width * height, "whole at {corner:?}");
    }
    let mut canvas = grey(30, 20);
    canvas.label(&BBox::new(5.0, 15.0, 9.0, 19.0), text, RED);
    assert_eq!(changed(&canvas), 30 * 10, "cut off where the picture is too narrow");
}

#[test]
fn text_shows_its_letters() {
    let mut canvas = grey(64, 16);
    canvas.text(0.0, 0.0, "I", [255; 3]);
    let ink: Vec<String> =
        (1..9).map(|y| (1..9).map(|x| if canvas.pixel(x, y) == Some([0; 3]) { '#' } else { '.' }).collect()).collect();
    assert_eq!(ink[0], ".####...");
    assert_eq!(ink[3], "..##....");
    let drawn = |letter: &str| {
        let mut canvas = grey(64, 16);
        canvas.text(0.0, 0.0, letter, RED);
        canvas.pixels
    };
    assert_eq!(drawn("\u{4eba}"), drawn("?"));
    assert_ne!(drawn("ß"), drawn("?"));
}

#[test]
fn low_scores_have_neither_point_nor_bone() {
    let mut canvas = grey(64, 64);
    let mut points = [(32.0, 32.0, 0.1); 17];
    points[5] = (10.0, 10.5, 0.9);
    points[6] = (50.0, 10.5, 0.2);
    canvas.skeleton(&points, 0.5, RED);
    assert!(changed(&canvas) > 0);
    assert_eq!(canvas.pixel(30, 10), Some(GREY), "no bone to the shoulder that was not seen");
    points[6].2 = 0.9;
    canvas.skeleton(&points, 0.5, RED);
    assert_eq!(canvas.pixel(30, 10), Some(RED));
}

#[test]
fn a_polygon_is_filled_where_it_is_and_a_slope_is_smooth() {
    let mut canvas = grey(40, 40);
    // A U: its notch is outside.
    let u = [(2.0, 2.0), (12.0, 2.0), (12.0, 25.0), (28.0, 25.0), (28.0, 2.0), (38.0, 2.0), (38.0, 38.0), (2.0, 38.0)];
    canvas.polygon(&u, RED, 0.5);
    assert_eq!(canvas.pixel(20, 10), Some(GREY));
    for (x, y) in [(7, 10), (33, 10), (20, 32)] {
        assert_eq!(canvas.pixel(x, y), Some([172, 45, 45]), "{x} {y}");
    }
    let mut canvas = grey(40, 40);
    canvas.line((5.0, 5.0), (35.0, 25.0), RED);
    let shades: std::collections::BTreeSet<_> = canvas.rgb().chunks_exact(3).collect();
    assert!(shades.len() > 5, "{} shades", shades.len());
    assert!(changed(&canvas) < 36 * 5, "{} pixels", changed(&canvas));
}

#[test]
fn a_jpeg_shows_the_picture_again() {
    let mut canvas = grey(64, 48);
    canvas.bbox(&BBox::new(-9.0, -9.0, 90.0, 24.0), RED);
    let jpeg = canvas.encode_jpeg(90).unwrap();
    let back = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap().to_rgb8();
    assert_eq!(back.dimensions(), (64, 48));
    assert!(back.get_pixel(30, 22).0[0] > 200 && back.get_pixel(30, 40).0[0] < 110);
    assert!(grey(0, 4).encode_jpeg(90).is_err());
    assert!(grey(4, 4).encode_jpeg(0).is_ok(), "quality is taken as the nearest that there is");
    let nowhere = grey(4, 4).save_jpeg(Path::new("/nonexistent/a.jpg"), 90).unwrap_err();
    assert!(nowhere.to_string().contains("/nonexistent/a.jpg"));
}
