//! Lines made of toned pieces, and how they become text with or without colors.

use console::{Style, measure_text_width};

/// What a piece of a line means; the color follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary text.
    Plain,
    /// Names of runs and pipelines.
    Strong,
    /// Less important.
    Faint,
    /// Succeeded.
    Good,
    /// Failed.
    Bad,
    /// At work.
    Active,
    /// Cancelled, or about to be tried again.
    Caution,
}

impl Tone {
    fn style(self) -> Style {
        let style = Style::new().force_styling(true);
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Faint => style.dim(),
            Self::Good => style.green(),
            Self::Bad => style.red(),
            Self::Active => style.cyan(),
            Self::Caution => style.yellow(),
        }
    }
}

/// Text in one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// One line of the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    spans: Vec<Span>,
}

impl Line {
    /// Adds a piece.
    pub(crate) fn push(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { text, tone });
        }
    }

    /// Adds blanks up to a column.
    pub(crate) fn pad_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width());
        self.push(Tone::Plain, " ".repeat(missing));
    }

    /// Columns that the line takes.
    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(|span| measure_text_width(&span.text)).sum()
    }

    /// The line as text of at most `width` columns.
    pub(crate) fn render(&self, color: bool, width: usize) -> String {
        if width == 0 {
            return String::new();
        }
        let mut text = String::new();
        let mut room = width;
        let last = self.spans.len().saturating_sub(1);
        for (index, span) in self.spans.iter().enumerate() {
            let wanted = measure_text_width(&span.text);
            // The last column is for the mark of what is missing, when more follows.
            let more_follows = index < last && wanted == room;
            let piece = if wanted > room || more_follows {
                crate::text::fit(&format!("{} ", span.text), room)
            } else {
                span.text.clone()
            };
            room = room.saturating_sub(measure_text_width(&piece));
            if color && span.tone != Tone::Plain {
                text.push_str(&span.tone.style().apply_to(&piece).to_string());
            } else {
                text.push_str(&piece);
            }
            if room == 0 {
                break;
            }
        }
        let kept = text.trim_end().len();
        text.truncate(kept);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        let mut line = Line::default();
        line.push(Tone::Good, "train");
        line.pad_to(8);
        line.push(Tone::Faint, "cached");
        line
    }

    #[test]
    fn without_color_there_are_no_escape_codes() {
        assert_eq!(line().render(false, 80), "train   cached");
        assert!(line().render(true, 80).contains('\u{1b}'));
    }

    #[test]
    fn lines_are_cut_to_the_width_of_the_terminal() {
        assert_eq!(line().render(false, 10), "train   c…");
        assert_eq!(line().render(false, 4), "tra…");
        assert_eq!(line().render(false, 0), "");
        for width in 0..20 {
            assert!(measure_text_width(&line().render(true, width)) <= width, "{width}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut line = Line::default();
        line.push(Tone::Plain, "訓練訓練");
        assert_eq!(line.render(false, 5), "訓練…");
    }
}
