import type { ReactNode } from "react";

/** Drawings of one stroke on a grid of 16. They say nothing to screen readers: words beside them do. */
const DRAWINGS = {
  home: <path d="M2.5 7.5 8 3l5.5 4.5V13a.5.5 0 0 1-.5.5H9.5V10h-3v3.5H3a.5.5 0 0 1-.5-.5z" />,
  runs: <path d="M5 3.5 12 8l-7 4.5z" />,
  pipelines: <path d="M2.5 3.5h4v3h-4zM9.5 9.5h4v3h-4zM4.5 6.5v2.2c0 1.3 1 2.3 2.3 2.3h2.7" />,
  experiments: <path d="M6 2.5h4M6.8 2.5v4L3.2 12a1 1 0 0 0 .9 1.5h7.8a1 1 0 0 0 .9-1.5L9.2 6.5v-4M5 10h6" />,
  schedules: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3.2l2.2 1.4" />,
  artifacts: <path d="m8 2.3 5 2.7v6l-5 2.7L3 11V5zM3 5l5 2.7L13 5M8 7.7v6" />,
  compare: <path d="M3 13V7.5M7 13V3M11 13V9.5M14 13H2" />,
  system: <path d="M2.5 4h11v4h-11zM2.5 8h11v4h-11zM5 6h.01M5 10h.01" />,
  search: <path d="M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8M10 10l3.5 3.5" />,
  plus: <path d="M8 3v10M3 8h10" />,
  minus: <path d="M3 8h10" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  chevron: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  up: <path d="m3.5 10 4.5-4.5L12.5 10" />,
  wrap: <path d="M2.5 3.5h11M2.5 8h8.7a2.2 2.2 0 0 1 0 4.5H8M9.8 10.8 8 12.5l1.8 1.7M2.5 12.5h2.7" />,
  down: <path d="m3.5 6 4.5 4.5L12.5 6" />,
  stop: <path d="M4.5 4.5h7v7h-7z" />,
  retry: <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3" />,
  clone: <path d="M5.5 5.5h7v7h-7zM3.5 10.5v-7h7" />,
  trash: <path d="M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9" />,
  archive: <path d="M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.5h3" />,
  download: <path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.2h10" />,
  upload: <path d="M8 10V2.8M4.8 6 8 2.8 11.2 6M3 13.2h10" />,
  copy: <path d="M5.5 5.5h7v8h-7zM3.5 11V2.5h7" />,
  more: <path d="M3.5 8h.01M8 8h.01M12.5 8h.01" />,
  filter: <path d="M2.5 4h11M4.5 8h7M6.5 12h3" />,
  columns: <path d="M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10" />,
  expand: <path d="M9.5 2.5h4v4M13.5 2.5 9 7M6.5 13.5h-4v-4M2.5 13.5 7 9" />,
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  info: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 7.3v3.4M8 5.3h.01" />,
  warning: <path d="M8 2.5 14 13H2zM8 6.5v3M8 11.2h.01" />,
  succeeded: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M5.5 8.2l1.8 1.8 3.3-3.7" />,
  failed: <path d="M5.7 2.5h4.6l3.2 3.2v4.6l-3.2 3.2H5.7l-3.2-3.2V5.7zM6 6l4 4M10 6l-4 4" />,
  running: <path d="M8 2.5A5.5 5.5 0 1 1 2.5 8" />,
  waiting: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11" strokeDasharray="2.2 2.1" />,
  skipped: <path d="M3 4.5 7.5 8 3 11.5zM8.5 4.5 13 8l-4.5 3.5z" />,
  canceled: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M6.2 6.2h3.6v3.6H6.2z" />,
  cached: <path d="M9.2 2.5 4 9h3.6L6.8 13.5 12 7H8.4z" />,
  unknown: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M6.5 6.5c0-2 3-2 3 0 0 1.2-1.5 1.2-1.5 2.4M8 11h.01" />,
  pause: <path d="M5.5 3.5v9M10.5 3.5v9" />,
  play: <path d="M5 3.5 12 8l-7 4.5z" />,
  sun: (
    <path d="M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1" />
  ),
  contrast: (
    <>
      <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11" />
      <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
    </>
  ),
  moon: <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z" />,
  keys: <path d="M1.5 4h13v8h-13zM4.5 6.8h.01M7 6.8h.01M9.5 6.8h.01M12 6.8h.01M5 9.4h6" />,
  edit: <path d="m3 13 .6-2.8 6.8-6.8 2.2 2.2-6.8 6.8zM9.3 4.5l2.2 2.2" />,
  link: <path d="M6.5 9.5 9.5 6.5M7 4.5l1.2-1.2a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.2 1.2a2.8 2.8 0 0 1-4-4L5 7.5" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof DRAWINGS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      focusable="false"
    >
      {DRAWINGS[name]}
    </svg>
  );
}
