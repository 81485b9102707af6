//! The frontier as a curve: cost that is left against storage, as SVG within the page.
//!
//! Draws numbers, no text of the workload. Colours are those of the light page; the style sheet maps them for the dark
//! one.

use crate::report::format::percent;
use crate::report::storage::{Point, RECOMMENDED};
use askama::filters::{Escaper, Html};
use plotters::prelude::*;

/// A picture's size in units of the page, and what names its parts.
#[derive(Clone, Copy)]
pub struct Shape {
    class: &'static str,
    width: u32,
    height: u32,
    /// Labels on the axis of storage.
    labels: usize,
}

pub const WIDE: Shape = Shape { class: "wide", width: 900, height: 330, labels: 8 };
/// For phones: a wide picture made small could not be read.
pub const NARROW: Shape = Shape { class: "narrow", width: 340, height: 280, labels: 4 };

const GRID: RGBColor = RGBColor(0xd3, 0xda, 0xe2);
const QUIET: RGBColor = RGBColor(0x50, 0x5a, 0x66);
const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
const CURVE: RGBColor = RGBColor(0x0b, 0x57, 0xd0);
const CHOSEN: RGBColor = RGBColor(0x17, 0x6f, 0x33);
const PAGE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// The curve of these points; None where there is none to be drawn.
pub fn draw(points: &[Point<'_>], shape: Shape, words: &str) -> Option<String> {
    let largest = points.iter().map(|point| point.point.bytes).max().filter(|bytes| *bytes > 0)?;
    let unit = Unit::of(largest);
    let mut svg = String::new();
    plot(points, shape, unit, &mut svg).ok()?;
    // The library's own opening tag has a fixed size and no words.
    let (_, inside) = svg.split_once('>')?;
    let Shape { class, width, height, .. } = shape;
    let mut described = String::new();
    Html.write_escaped_str(&mut described, words).ok()?;
    Some(format!(
        "<svg class=\"chart {class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{class}-title\" \
         aria-describedby=\"{class}-words\"><title id=\"{class}-title\">Cost left against storage</title><desc \
         id=\"{class}-words\">{described}</desc>{inside}"
    ))
}

/// What the axis of storage counts in.
#[derive(Clone, Copy)]
struct Unit {
    bytes: f64,
    name: &'static str,
}

impl Unit {
    /// The largest unit that the axis shows at least two of.
    fn of(largest: u64) -> Unit {
        let units = [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10)];
        let unit = units.into_iter().find(|(_, shift)| largest >> shift >= 2);
        let (name, shift) = unit.unwrap_or(("bytes", 0));
        Unit { bytes: (1_u64 << shift) as f64, name }
    }
}

type Failed = DrawingAreaErrorKind<std::io::Error>;

fn plot(points: &[Point<'_>], shape: Shape, unit: Unit, svg: &mut String) -> Result<(), Failed> {
    let place = |point: &Point<'_>| (point.point.bytes as f64 / unit.bytes, point.left);
    let widest = points.iter().map(|point| place(point).0).fold(0.0, f64::max);
    let area = SVGBackend::with_string(svg, (shape.width, shape.height)).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_top(10)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..widest * 1.02, 0.0..1.0)?;
    let label = ("sans-serif", 16).into_font().color(&QUIET);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(QUIET)
        .label_style(label.clone())
        .axis_desc_style(label)
        .x_labels(shape.labels)
        .y_labels(6)
        .x_label_formatter(&|value: &f64| format!("{} {}", short(*value), unit.name))
        .y_label_formatter(&|value: &f64| percent((value * 100.0).round() / 100.0))
        .x_desc("storage of the indexes")
        .draw()?;
    // Between two points nothing better is known than the smaller one.
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for point in points.iter().map(place) {
        if let Some((_, height)) = steps.last().copied() {
            steps.push((point.0, height));
        }
        steps.push(point);
    }
    chart.draw_series(AreaSeries::new(steps.iter().copied(), 0.0, CURVE.mix(0.12)))?;
    chart.draw_series(LineSeries::new(steps, CURVE.stroke_width(2)))?;
    for point in points {
        let (radius, colour) = if point.point.recommended { (7, CHOSEN) } else { (3, CURVE) };
        chart.draw_series([Circle::new(place(point), radius + 1, PAGE.filled())])?;
        chart.draw_series([Circle::new(place(point), radius, colour.filled())])?;
    }
    if let Some(chosen) = points.iter().find(|point| point.point.recommended) {
        use plotters::style::text_anchor::{HPos, Pos, VPos};
        let words = format!("{}: {}, {} left", RECOMMENDED, chosen.size, chosen.left_percent);
        // To its left and above: the curve has come down by then.
        let style = ("sans-serif", 16).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Bottom));
        let at = EmptyElement::at(place(chosen)) + Text::new(words, (0, -12), style);
        chart.draw_series([at])?;
    }
    area.present()
}

/// A label's number, with digits only where they are needed.
fn short(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.1}") }
}
