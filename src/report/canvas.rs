//! Shapes, and drawing them with `plotters` as SVG text or as PNG bytes.
//!
//! A chart is laid out once, as a list of shapes in units of one pixel of the finished picture; both formats
//! draw the same list. Both draw at [`FINE`] times the size: the SVG gets coordinates of half a pixel,
//! the PNG is averaged down, which smooths its edges. The font is shipped, so no system font library is
//! needed; SVG text stays text in whatever sans-serif font the reader has.

use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

/// How many drawn pixels make one pixel of the picture, in each direction.
const FINE: u32 = 2;
/// The family by which both formats know the font: the shipped file in a PNG, the reader's own in an SVG.
const FAMILY: &str = "sans-serif";
/// `plotters` sizes a font by its line height; this many times what a browser calls the size.
const LINE_HEIGHT: f64 = 1.24;

static FONT: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");
static REGISTER: Once = Once::new();

/// A colour as red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// Where a text's position lies along its line.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Something to draw; coordinates from the upper left corner.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A filled rectangle from corner to corner.
    Rect { from: (f64, f64), to: (f64, f64), colour: Colour, alpha: f64 },
    /// A line through points, each segment along one axis.
    Line { points: Vec<(f64, f64)>, width: f64, colour: Colour },
    /// A filled circle.
    Dot { at: (f64, f64), radius: f64, colour: Colour, alpha: f64 },
    /// One line of text, centred on `at.1` vertically.
    Text { at: (f64, f64), text: String, size: f64, anchor: Anchor, colour: Colour },
}

/// How wide a text of this size is.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    register();
    // Measured large, because `plotters` rounds to whole units.
    let layout = (FAMILY, size * LINE_HEIGHT * 8.0).into_font().layout_box(text);
    layout.map_or(0.0, |(_, (width, _))| f64::from(width) / 8.0)
}

/// The picture as an SVG document with a title for screen readers.
pub(super) fn svg(shapes: &[Shape], (width, height): (u32, u32), title: &str) -> String {
    let fine = (width * FINE, height * FINE);
    let mut body = String::new();
    {
        let area = SVGBackend::with_string(&mut body, fine).into_drawing_area();
        draw(&area, shapes, true);
        area.present().expect("drawing into a string cannot fail");
    }
    // The opening tag gives the fine size as that of the picture: say the size to show it in instead.
    let rest = body.find('>').map_or("", |end| &body[end + 1..]);
    let title = super::format::escape(title);
    format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{title}</title>{rest}",
        fine.0, fine.1
    )
}

/// The picture as the bytes of a PNG file.
pub(super) fn png(shapes: &[Shape], (width, height): (u32, u32)) -> Vec<u8> {
    let fine = (width * FINE, height * FINE);
    let mut pixels = vec![0xFF; fine.0 as usize * fine.1 as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, fine).into_drawing_area();
        draw(&area, shapes, false);
        area.present().expect("drawing into memory cannot fail");
    }
    let small = average(&pixels, width as usize, height as usize);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("writing into memory cannot fail");
    writer.write_image_data(&small).expect("as many bytes as the header says");
    writer.finish().expect("writing into memory cannot fail");
    bytes
}

/// Each pixel of the picture is the mean of `FINE` times `FINE` drawn ones.
fn average(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    let n = FINE as usize;
    let row = width * n * 3;
    let mut out = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0u32; width * 3];
    for rows in fine.chunks_exact(row * n).take(height) {
        sums.fill(0);
        for line in rows.chunks_exact(row) {
            for (sum, pixels) in sums.chunks_exact_mut(3).zip(line.chunks_exact(3 * n)) {
                for pixel in pixels.chunks_exact(3) {
                    sum[0] += u32::from(pixel[0]);
                    sum[1] += u32::from(pixel[1]);
                    sum[2] += u32::from(pixel[2]);
                }
            }
        }
        out.extend(sums.iter().map(|sum| (sum / (FINE * FINE)) as u8));
    }
    out
}

fn register() {
    REGISTER.call_once(|| {
        let outcome = register_font(FAMILY, FontStyle::Normal, FONT);
        assert!(outcome.is_ok(), "the shipped font file is a font");
    });
}

type Area<'a, B> = DrawingArea<B, plotters::coord::Shift>;

fn fine((x, y): (f64, f64)) -> (i32, i32) {
    let scale = f64::from(FINE);
    ((x * scale).round() as i32, (y * scale).round() as i32)
}

fn draw<B: DrawingBackend>(area: &Area<'_, B>, shapes: &[Shape], whole_lines: bool) {
    register();
    for shape in shapes {
        let outcome = match shape {
            Shape::Rect { from, to, colour, alpha } => {
                let style = RGBColor(colour.0, colour.1, colour.2).mix(*alpha).filled();
                area.draw(&Rectangle::new([fine(*from), fine(*to)], style))
            }
            Shape::Dot { at, radius, colour, alpha } => {
                let style = RGBColor(colour.0, colour.1, colour.2).mix(*alpha).filled();
                let radius = (radius * f64::from(FINE)).round() as i32;
                area.draw(&Circle::new(fine(*at), radius, style))
            }
            Shape::Line { points, width, colour } if whole_lines => {
                let stroke = (width * f64::from(FINE)).round() as u32;
                let style = RGBColor(colour.0, colour.1, colour.2).stroke_width(stroke);
                area.draw(&PathElement::new(
                    points.iter().map(|&p| fine(p)).collect::<Vec<_>>(),
                    style,
                ))
            }
            Shape::Line { points, width, colour } => {
                let style = RGBColor(colour.0, colour.1, colour.2).filled();
                points.windows(2).try_for_each(|pair| {
                    area.draw(&Rectangle::new(thick(pair[0], pair[1], *width), style))
                })
            }
            Shape::Text { at, text, size, anchor, colour } => {
                let h = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let colour = RGBColor(colour.0, colour.1, colour.2);
                let font = (FAMILY, size * LINE_HEIGHT * f64::from(FINE)).into_font();
                let style = TextStyle::from(font).color(&colour).pos(Pos::new(h, VPos::Center));
                // A bitmap's text stands a little high, because its box includes the descenders.
                let lower = if whole_lines { 0.0 } else { size * 0.1 };
                area.draw(&Text::new(text.as_str(), fine((at.0, at.1 + lower)), style))
            }
        };
        outcome.expect("drawing in memory cannot fail");
    }
}

/// The rectangle that a segment along one axis covers, corners of the line included.
fn thick(a: (f64, f64), b: (f64, f64), width: f64) -> [(i32, i32); 2] {
    let half = width / 2.0;
    let from = fine((a.0.min(b.0) - half, a.1.min(b.1) - half));
    let to = fine((a.0.max(b.0) + half, a.1.max(b.1) + half));
    [from, (to.0 - 1, to.1 - 1)] // the far corner is drawn too
}
