import createDOMPurify from "dompurify";
import { marked } from "marked";
import { useMemo } from "react";
import style from "./Preview.module.css";

const purify = createDOMPurify(window);

// Nothing in it is asked of anybody, and links lead out of the page, and not into it.
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noreferrer noopener nofollow");
  }
  if (node.hasAttribute("src") && !/^data:image\/(png|jpeg|gif|webp);/i.test(node.getAttribute("src") ?? "")) {
    node.removeAttribute("src");
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
};

/** Markdown as it is meant to be read. */
export function htmlOf(text: string): string {
  return purify.sanitize(marked.parse(text, { async: false, gfm: true }), RULES);
}

export default function Markdown({ text }: { text: string }) {
  const html = useMemo(() => htmlOf(text), [text]);
  // biome-ignore lint/security/noDangerouslySetInnerHtml: it is what DOMPurify leaves of it (T-14)
  return <div className={style.markdown} dangerouslySetInnerHTML={{ __html: html }} />;
}
