import { Suspense, useState } from "react";
import type { Run } from "../../api/kfp";
import type { Artifact } from "../../api/penstock";
import { part } from "../../app/part";
import { Button } from "../../design/Button";
import { Loading } from "../../design/Notice";
import { Card } from "../../design/Page";
import type { Place } from "../../model/compare";
import { curveOf } from "../../model/previewMetrics";
import style from "./Compare.module.css";
import { letter } from "./letter";

const Curves = part(async () => ({ default: (await import("../../preview/Curves")).Curves }));
const ArtifactPreview = part(async () => ({
  default: (await import("../../preview/ArtifactPreview")).ArtifactPreview,
}));

/** Each preview reads content: so many are begun with, and more when they are asked for. */
const FIRST_PLACES = 12;
const FIRST_RUNS = 8;

/** What there is to look at, the artifacts of one place in all runs beside each other. */
export function Places({ runs, places }: { runs: readonly Run[]; places: readonly Place[] }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? places : places.slice(0, FIRST_PLACES);
  return (
    <>
      {shown.map((place) => (
        <PlaceCard key={place.place} runs={runs} place={place} />
      ))}
      {shown.length < places.length && (
        <div>
          <Button onClick={() => setWhole(true)}>Show {places.length - shown.length} more outputs</Button>
        </div>
      )}
    </>
  );
}

function PlaceCard({ runs, place: { place, type, found, isAlike } }: { runs: readonly Run[]; place: Place }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? found : found.slice(0, FIRST_RUNS);
  return (
    <Card
      title={`${place} (${type.replace(/^system\./, "")})`}
      actions={isAlike && <span className="soft small">The same in all of these runs</span>}
    >
      <Together runs={runs} found={found} />
      <div className={style.previews}>
        {shown.map((artifact, index) => (
          <figure key={runs[index]?.run_id} className={style.preview}>
            <figcaption>
              {letter(index)} · {runs[index]?.display_name}
            </figcaption>
            {artifact ? (
              <Suspense fallback={<Loading />}>
                <ArtifactPreview artifact={artifact} />
              </Suspense>
            ) : (
              <p className="soft">This run has none.</p>
            )}
          </figure>
        ))}
      </div>
      {shown.length < found.length && (
        <p className={style.padded}>
          <Button onClick={() => setWhole(true)}>Show those of {found.length - shown.length} more runs</Button>
        </p>
      )}
    </Card>
  );
}

/** Curves of a place in one chart, where several runs have one. */
function Together({ runs, found }: { runs: readonly Run[]; found: readonly (Artifact | undefined)[] }) {
  const curves = found.flatMap((artifact, index) => {
    const points = curveOf(artifact?.metadata);
    return points.length > 0 ? [{ mark: letter(index), name: runs[index]?.display_name ?? "", points }] : [];
  });
  return curves.length < 2 ? null : (
    <div className={style.padded}>
      <Suspense fallback={<Loading />}>
        <Curves curves={curves} />
      </Suspense>
    </div>
  );
}
