//! A plot with two linear axes, as SVG without scripts. Colours are set by the page's style sheet.

use maud::{Markup, html};

/// Space around the plot for titles and numbers of the axes.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// About how many ticks an axis gets.
const TICKS: f64 = 5.0;

/// One axis: its ends, its ticks with their texts, and its title with the unit.
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) title: String,
}

impl Axis {
    /// An axis from `low` or below to `high` or above, with round ticks.
    pub(crate) fn over(low: f64, high: f64, title: &str, text: impl Fn(f64) -> String) -> Self {
        let span = if high > low { high - low } else { 1.0 };
        let step = round_step(span / TICKS);
        let (first, last) = ((low / step).floor(), ((low + span) / step).ceil());
        let ticks = (0..=(last - first) as usize)
            .map(|index| (first + index as f64) * step)
            .map(|value| (value, text(value)))
            .collect();
        Self { low: first * step, high: last * step, ticks, title: title.to_owned() }
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A plot of fixed size.
pub(crate) struct Chart {
    /// Unique on the page.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What it shows, for readers who cannot see it.
    pub(crate) description: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Chart {
    pub(crate) fn at_x(&self, value: f64) -> f64 {
        let part = (value - self.x.low) / (self.x.high - self.x.low);
        LEFT + part * (self.width - LEFT - RIGHT)
    }

    pub(crate) fn at_y(&self, value: f64) -> f64 {
        let part = (value - self.y.low) / (self.y.high - self.y.low);
        self.height - BOTTOM - part * (self.height - BOTTOM - TOP)
    }

    /// A line through `points`, with the style of `class`.
    pub(crate) fn line(&self, points: &[(f64, f64)], class: &str) -> Markup {
        let points: Vec<String> = points
            .iter()
            .map(|&(x, y)| format!("{},{}", px(self.at_x(x)), px(self.at_y(y))))
            .collect();
        html! { polyline class=(format!("line {class}")) points=(points.join(" ")) {} }
    }

    /// A dot that shows its numbers when pointed at.
    pub(crate) fn dot(&self, (x, y): (f64, f64), class: &str, says: &str) -> Markup {
        html! {
            circle class=(format!("dot {class}")) cx=(px(self.at_x(x))) cy=(px(self.at_y(y))) r="3.4" {
                title { (says) }
            }
        }
    }

    /// A vertical span from `low` to `high` at `x`.
    pub(crate) fn span(&self, x: f64, (low, high): (f64, f64), class: &str) -> Markup {
        let x = px(self.at_x(x));
        html! {
            line class=(format!("span {class}")) x1=(x) x2=(x) y1=(px(self.at_y(low)))
                y2=(px(self.at_y(high))) {}
        }
    }

    /// A shaded area between two lines with the same x.
    pub(crate) fn area(&self, low: &[(f64, f64)], high: &[(f64, f64)], class: &str) -> Markup {
        let points: Vec<String> = low
            .iter()
            .chain(high.iter().rev())
            .map(|&(x, y)| format!("{},{}", px(self.at_x(x)), px(self.at_y(y))))
            .collect();
        html! { polygon class=(format!("area {class}")) points=(points.join(" ")) {} }
    }

    /// A vertical line at `x` with its name on top; `level` names are one below the other.
    pub(crate) fn milestone(&self, x: f64, level: usize, name: &str) -> Markup {
        let (at, y) = (self.at_x(x), TOP + 11.0 + 15.0 * level as f64);
        // To the left of the line where there is no space to its right.
        let is_left = at > self.width - RIGHT - 90.0;
        let (text, anchor) = if is_left { (at - 4.0, "end") } else { (at + 4.0, "start") };
        html! {
            g class="milestone" {
                line x1=(px(at)) x2=(px(at)) y1=(px(TOP)) y2=(px(self.height - BOTTOM)) {}
                text class="tick" x=(px(text)) y=(px(y)) text-anchor=(anchor) { (name) }
            }
        }
    }

    /// A shaded band over the whole height.
    pub(crate) fn band(&self, from: f64, to: f64) -> Markup {
        let (left, right) = (self.at_x(from.max(self.x.low)), self.at_x(to.min(self.x.high)));
        html! {
            rect class="band" x=(px(left)) y=(px(TOP)) width=(px(right - left))
                height=(px(self.height - BOTTOM - TOP)) {}
        }
    }

    /// The whole plot with `marks` on it.
    pub(crate) fn draw(&self, marks: &Markup) -> Markup {
        let (right, bottom) = (self.width - RIGHT, self.height - BOTTOM);
        let middle = px((TOP + bottom) / 2.0);
        html! {
            svg role="img" viewBox=(format!("0 0 {} {}", self.width, self.height))
                aria-labelledby=(format!("{0}-title {0}-description", self.id)) {
                title id=(format!("{}-title", self.id)) { (self.title) }
                desc id=(format!("{}-description", self.id)) { (self.description) }
                @for (value, text) in &self.y.ticks {
                    @let y = self.at_y(*value);
                    line class="grid" x1=(px(LEFT)) x2=(px(right)) y1=(px(y)) y2=(px(y)) {}
                    text class="tick" x=(px(LEFT - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (text) }
                }
                @for (value, text) in &self.x.ticks {
                    @let x = self.at_x(*value);
                    line class="axis" x1=(px(x)) x2=(px(x)) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
                    text class="tick" x=(px(x)) y=(px(bottom + 18.0)) text-anchor="middle" { (text) }
                }
                line class="axis" x1=(px(LEFT)) x2=(px(right)) y1=(px(bottom)) y2=(px(bottom)) {}
                text class="label" x=(px((LEFT + right) / 2.0)) y=(px(self.height - 8.0))
                    text-anchor="middle" { (self.x.title) }
                text class="label" x="14" y=(middle) text-anchor="middle"
                    transform=(format!("rotate(-90 14 {middle})")) { (self.y.title) }
                (marks)
            }
        }
    }
}

/// A legend of lines in the order of their styles.
pub(crate) fn legend(entries: &[(String, String)]) -> Markup {
    html! {
        ul.legend {
            @for (class, name) in entries {
                li {
                    svg width="26" height="10" aria-hidden="true" {
                        line class=(format!("line {class}")) x1="1" x2="25" y1="5" y2="5" {}
                        circle class=(format!("dot {class}")) cx="13" cy="5" r="3.4" {}
                    }
                    (name)
                }
            }
        }
    }
}

/// A length with one decimal: a tenth of a pixel is enough.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(low: f64, high: f64) -> Vec<f64> {
        let axis = Axis::over(low, high, "", |_| String::new());
        assert!(axis.low <= low && high <= axis.high);
        axis.ticks.into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(ticks(0.0, 9.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(3.0, 3.0), [3.0, 3.2, 3.4000000000000004, 3.6, 3.8000000000000003, 4.0]);
        assert_eq!(ticks(-1.0, 4.0), [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!((px(3.04), px(3.05 + 0.01)), ("3".to_owned(), "3.1".to_owned()));
    }
}
