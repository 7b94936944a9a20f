import sharp, { type OverlayOptions } from 'sharp';
import type { ThumbnailParams } from './params.ts';
import type { Raster } from './picture.ts';

/** Pixels between cards and at the edge of the sheet, and of paper around each picture. */
const GAP = 16;
const MAT = 10;
const BORDER = 1;
const PAPER = '#ffffff';
const EDGE = '#d4d4cf';

/** About as many columns as rows. */
export const squareColumns = (pictures: number): number => Math.ceil(Math.sqrt(pictures));

const filled = (left: number, top: number, width: number, height: number, background: string): OverlayOptions => ({
  input: { create: { width, height, channels: 3, background } },
  left,
  top,
});

/**
 * One PNG with every picture on a card of its own, in order, left to right and top to bottom. All cards have the size of
 * the box of a thumbnail; a smaller picture lies in the middle of its card.
 */
export async function drawSheet(pictures: readonly Raster[], params: ThumbnailParams): Promise<Uint8Array> {
  const columns = Math.min(params.columns ?? squareColumns(pictures.length), pictures.length);
  const rows = Math.ceil(pictures.length / columns);
  // No card is larger than the largest picture needs: small pictures would lie on wide empty paper.
  const boxWidth = Math.max(...pictures.map(({ width }) => width));
  const boxHeight = Math.max(...pictures.map(({ height }) => height));
  const [cardWidth, cardHeight] = [boxWidth + 2 * MAT, boxHeight + 2 * MAT];
  const layers = pictures.flatMap(({ data, width, height }, index): OverlayOptions[] => {
    const left = GAP + (index % columns) * (cardWidth + GAP);
    const top = GAP + Math.floor(index / columns) * (cardHeight + GAP);
    return [
      filled(left - BORDER, top - BORDER, cardWidth + 2 * BORDER, cardHeight + 2 * BORDER, EDGE),
      filled(left, top, cardWidth, cardHeight, PAPER),
      {
        input: data,
        raw: { width, height, channels: 4 },
        left: left + Math.floor((cardWidth - width) / 2),
        top: top + Math.floor((cardHeight - height) / 2),
      },
    ];
  });
  const width = GAP + columns * (cardWidth + GAP);
  const height = GAP + rows * (cardHeight + GAP);
  return sharp({ create: { width, height, channels: 3, background: params.background } })
    .composite(layers)
    .removeAlpha()
    .png({ compressionLevel: 9 })
    .toBuffer();
}
