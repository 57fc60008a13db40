//! A picture of a table: a bar for each engine and work.

use std::fmt::Write;

use super::report::{Cell, Table};

const WIDTH: f64 = 900.0;
/// Room for the names of works, and for numbers after the bars.
const LEFT: f64 = 400.0;
const RIGHT: f64 = 130.0;
const BAR: f64 = 16.0;
const GAP: f64 = 14.0;
const TOP: f64 = 60.0;
const COLOURS: [&str; 5] = ["#1f6feb", "#2da44e", "#bf8700", "#8250df", "#cf222e"];

/// The time of each engine relative to the slowest of each work, as SVG.
pub(super) fn bars(table: &Table) -> String {
    let engines = table.engines();
    let bars: usize = table.rows.iter().map(|row| row.cells.len()).sum();
    let height = TOP + bars as f64 * BAR + table.rows.len() as f64 * GAP + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">Time for the same work with the same weights; shorter is faster</text>\n"
    );
    for (index, engine) in engines.iter().enumerate() {
        let x = 10.0 + WIDTH / engines.len() as f64 * index as f64;
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"32\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"42\">{}</text>",
            x + 18.0,
            escape(engine)
        );
    }
    let mut y = TOP;
    for row in &table.rows {
        let slowest = row
            .cells
            .iter()
            .map(Cell::median)
            .fold(f64::MIN_POSITIVE, f64::max);
        let middle = y + row.cells.len() as f64 * BAR / 2.0 + 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>",
            LEFT - 10.0,
            escape(&row.title)
        );
        for cell in &row.cells {
            let index = engines
                .iter()
                .position(|engine| *engine == cell.engine)
                .unwrap_or_default();
            let colour = COLOURS[index % COLOURS.len()];
            let length = (WIDTH - LEFT - RIGHT) * cell.median() / slowest;
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                BAR - 3.0
            );
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\">{:.3} s</text>",
                LEFT + length + 6.0,
                y + BAR - 5.0,
                cell.median()
            );
            y += BAR;
        }
        y += GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
