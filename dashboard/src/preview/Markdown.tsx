import createDOMPurify from "dompurify";
import { marked } from "marked";
import { useLayoutEffect, useRef } from "react";
import style from "./Preview.module.css";

const purify = createDOMPurify(window);

/** Where an image says what its source was. Whoever wrote the text cannot: such attributes are taken out of it. */
const SOURCE = "data-source";

// Links lead out of the page, and not into it. What is asked for is gone before it is in a document that would ask.
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noreferrer noopener nofollow");
  }
  const source = node.getAttribute("src");
  if (/^data:image\/(png|jpeg|gif|webp);/i.test(source ?? "")) {
    return;
  }
  node.removeAttribute("src");
  if (node.tagName === "IMG") {
    node.setAttribute(SOURCE, source ?? "");
  }
  if (node.tagName === "IMG" && !node.hasAttribute("alt")) {
    node.setAttribute("alt", "");
  }
});

const RULES = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: [
    "style",
    "form",
    "input",
    "button",
    "select",
    "textarea",
    "video",
    "audio",
    "source",
    "picture",
    "dialog",
  ],
  FORBID_ATTR: ["style", "class", "id", "name", "srcset", "background", "ping"],
  ALLOW_DATA_ATTR: false,
  // As text it would have to be read once more, and might be read as something else.
  RETURN_DOM_FRAGMENT: true as const,
};

/** Markdown as it is meant to be read. Nothing in it is asked of anybody. */
function cleaned(text: string): DocumentFragment {
  const content = purify.sanitize(marked.parse(text, { async: false, gfm: true }), RULES);
  for (const image of content.querySelectorAll("img")) {
    const source = image.getAttribute(SOURCE);
    if (source !== null) {
      image.replaceWith(unshown(image.alt, source));
    } else if (image.alt === "") {
      image.alt = "Image without a description";
    }
  }
  return content;
}

/** What stands in the place of an image that would have to be fetched from somewhere. */
function unshown(description: string, source: string): HTMLElement {
  const words = document.createElement("em");
  words.className = style.unshown ?? "";
  const what = description === "" ? "Image" : `Image “${description}”`;
  words.textContent = `${what} not shown: ${source.slice(0, 200) || "it has no source"}`;
  words.title = "Pages of artifacts fetch nothing: images within the text itself (data:) are shown.";
  return words;
}

export default function Markdown({ text }: { text: string }) {
  const place = useRef<HTMLDivElement>(null);
  // What DOMPurify leaves of it (T-14).
  useLayoutEffect(() => place.current?.replaceChildren(cleaned(text)), [text]);
  return <div ref={place} className={style.markdown} />;
}
