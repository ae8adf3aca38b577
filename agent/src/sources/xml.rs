//! Walks through XML that a vendor's installer or an attacker wrote, element by element.
//!
//! Knows nothing of any vocabulary. Nothing is built in memory and nothing outside the bytes is ever looked up: entities
//! of a document's own are no entities here, so that a small file cannot grow into a large one. Names come without
//! their namespace prefix, since writers choose that as they like.

use std::ops::ControlFlow;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use crate::sources::text;

/// Real files are less than ten deep.
const DEPTH_LIMIT: usize = 64;

/// One step of a walk.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// An element begins.
    Open(&'a Element<'a>),
    /// Text in the element that was opened last, whole or a piece of it.
    Text(&'a str),
    /// The element of this name ends.
    Close(&'a str),
}

/// An element's name and attributes.
#[derive(Debug)]
pub(crate) struct Element<'a>(BytesStart<'a>);

/// Why a walk stopped; what it saw until then stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XmlError {
    /// A tag is cut off, not closed or closed in the wrong order.
    #[error("not well-formed after byte {offset}")]
    Malformed {
        /// How far the walk had come.
        offset: u64,
        #[source]
        source: quick_xml::Error,
    },
    /// More levels than any honest writer makes.
    #[error("more than {DEPTH_LIMIT} levels deep")]
    TooDeep,
}

impl Element<'_> {
    /// Its name, without prefix.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of an attribute, as text for an inventory; `None` where it is missing or empty.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        // Checking for repeated names would be quadratic in their number.
        let attribute = self
            .0
            .attributes()
            .with_checks(false)
            .filter_map(Result::ok)
            .find(|attribute| attribute.key.local_name().into_inner() == name)?;
        match attribute.normalized_value(XmlVersion::Implicit1_0) {
            Ok(value) => text::clean(value.as_bytes()),
            // An entity of its own: as it is written.
            Err(_) => text::clean(attribute.value.as_bytes()),
        }
    }
}

/// Tells `visit` every step through a document, in order, until it breaks off.
pub(crate) fn walk(bytes: &[u8], mut visit: impl FnMut(Step<'_>) -> ControlFlow<()>) -> Result<(), XmlError> {
    let document = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&document);
    reader.config_mut().expand_empty_elements = true;
    let mut depth = 0_usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|source| XmlError::Malformed { offset: reader.buffer_position(), source })?;
        let flow = match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return Err(XmlError::TooDeep);
                }
                visit(Step::Open(&Element(start)))
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Step::Close(end.local_name().into_inner()))
            }
            Event::Text(text) => visit(Step::Text(&text)),
            Event::CData(text) => visit(Step::Text(&text)),
            Event::Eof => return Ok(()),
            Event::Empty(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => ControlFlow::Continue(()),
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(document: &str) -> (Vec<String>, Option<String>) {
        let mut seen = Vec::new();
        let result = walk(document.as_bytes(), |step| {
            seen.push(match step {
                Step::Open(element) => {
                    format!("<{} {:?}", element.name(), element.attribute("a").unwrap_or_default())
                }
                Step::Text(text) => text.to_owned(),
                Step::Close(name) => format!(">{name}"),
            });
            ControlFlow::Continue(())
        });
        (seen, result.err().map(|error| error.to_string()))
    }

    #[test]
    fn documents_good_and_bad() {
        for (document, steps, error) in [
            ("<?xml version=\"1.0\"?><!-- x --><n:b n:a='1&amp;2'/>", &["<b \"1&2\"", ">b"][..], None),
            ("<b a=\"x\ty\">t<![CDATA[<c>]]></b>", &["<b \"x y\"", "t", "<c>", ">b"], None),
            ("<b a='1' a='2' 3 =></b>", &["<b \"1\"", ">b"], None),
            (
                "<!DOCTYPE b [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><b a='&e;'>&e;</b>",
                &["<b \"&e;\"", ">b"],
                None,
            ),
            ("", &[], None),
            ("no XML at all \u{0}", &["no XML at all \u{0}"], None),
            ("<b><c></b>", &["<b \"\"", "<c \"\""], Some("not well-formed after byte 10")),
            ("<b", &[], Some("not well-formed after byte 2")),
        ] {
            let (found, found_error) = seen(document);
            assert_eq!(found, steps, "{document}");
            assert_eq!(found_error.as_deref(), error, "{document}");
        }
    }

    #[test]
    fn a_walk_can_be_broken_off() {
        let mut steps = 0;
        let result = walk(b"<a><b></c>", |_| {
            steps += 1;
            if steps == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(result.is_ok());
        assert_eq!(steps, 2);
    }

    #[test]
    fn depth_is_bounded() {
        let (steps, error) = seen(&"<b>".repeat(1000));
        assert_eq!((steps.len(), error.as_deref()), (DEPTH_LIMIT, Some("more than 64 levels deep")));
    }
}
