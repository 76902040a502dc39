const CURVE = { width: 120, height: 22, points: 60 };

/** The curve in pieces: it breaks where nothing was measured. The newest point is at the right edge. */
function curvePath(points) {
  const step = CURVE.width / (CURVE.points - 1);
  const start = CURVE.points - points.length;
  let path = '';
  points.forEach((point, place) => {
    if (point !== null) {
      const begins = place === 0 || points[place - 1] === null;
      const y = 1 + (1 - point) * (CURVE.height - 2);
      path += `${begins ? 'M' : 'L'}${((start + place) * step).toFixed(1)} ${y.toFixed(1)}`;
    }
  });
  return path;
}

function drawUse({ label, points }) {
  return element(
    'div',
    { class: 'runai-use' },
    element(
      'svg',
      { class: 'runai-curve', viewBox: `0 0 ${CURVE.width} ${CURVE.height}`, role: 'img', 'aria-label': label },
      element('line', { x1: 0, y1: CURVE.height - 0.5, x2: CURVE.width, y2: CURVE.height - 0.5 }),
      element('path', { d: curvePath(points) })
    ),
    element('span', { class: 'runai-number runai-quiet' }, label)
  );
}

function drawProgress({ label, percent }) {
  return element(
    'div',
    { class: 'runai-progress' },
    element(
      'div',
      { class: 'runai-bar', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': Math.round(percent) },
      element('span', { class: 'runai-segment runai-mine', style: `width:${percent}%` })
    ),
    element('span', { class: 'runai-number runai-quiet' }, label)
  );
}

function drawActions(buttons, share) {
  const drawn = buttons.map(({ name, label, title, is_enabled }) => button(name, label, title, is_enabled));
  const field =
    share === null
      ? null
      : element('input', {
          type: 'text',
          class: 'runai-input runai-short',
          'data-field': share.name,
          'aria-label': share.title,
          title: share.hint,
          value: share.value
        });
  return element('div', { class: 'runai-actions', role: 'group' }, drawn.slice(0, -1), field, drawn.slice(-1));
}

function drawWorkload(view) {
  const { id, state, glyph, name, asked, clock, word, detail, story, sentence, progress, use, buttons, share } = view;
  return element(
    'section',
    { class: 'runai-section', 'aria-label': name, 'data-workload': id, 'data-state': state },
    element(
      'div',
      { class: 'runai-head' },
      element('span', { class: `runai-glyph runai-is-${state}`, 'aria-hidden': 'true' }, glyph),
      element('span', { class: 'runai-name runai-strong' }, name),
      element('span', { class: 'runai-state' }, word),
      element('span', { class: 'runai-quiet runai-detail' }, detail),
      element('span', { class: 'runai-number runai-end' }, asked),
      element('span', { class: 'runai-number runai-clock' }, clock)
    ),
    element('span', { class: 'runai-unseen', role: 'status' }, sentence),
    element('p', { class: 'runai-quiet' }, story),
    progress === null ? null : drawProgress(progress),
    use === null ? null : drawUse(use),
    element(
      'pre',
      { class: 'runai-log', 'data-key': 'log', 'data-follow': true, role: 'log', 'aria-label': view.log_label, 'aria-live': 'off', tabindex: 0 },
      view.log.length === 0 ? element('span', { class: 'runai-quiet' }, view.no_log) : view.log.join('\n')
    ),
    buttons.length === 0 ? null : drawActions(buttons, share),
    note(view.note)
  );
}

export default live(drawWorkload);
