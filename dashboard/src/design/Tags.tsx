/** Tags as `key: value`. */
export function Tags({ tags }: { tags: Record<string, string> | undefined }) {
  return (
    <>
      {Object.entries(tags ?? {}).map(([key, value]) => (
        <span key={key} className="chip" title={`${key}: ${value}`}>
          {key}
          {value !== "" && <>: {value}</>}
        </span>
      ))}
    </>
  );
}
