function drawSlider({ name, label, least, most, step, value }) {
  return element(
    'label',
    { class: 'runai-slider' },
    element('span', {}, label),
    element('input', {
      type: 'range',
      'data-field': name,
      'aria-label': label,
      min: least,
      max: most,
      step,
      value
    }),
    element('span', { class: 'runai-number', 'aria-hidden': 'true' }, value)
  );
}

function drawScaleOut({ title, sliders, hint, rows, is_current, button: submit, note: said }) {
  return element(
    'section',
    { class: 'runai-section', 'aria-label': title },
    element('h3', { class: 'runai-title' }, title),
    element('div', { class: 'runai-sliders' }, sliders.map(drawSlider)),
    element('p', { class: 'runai-quiet' }, hint),
    drawRows(rows, is_current),
    element('div', { class: 'runai-actions' }, button('submit', submit, submit)),
    note(said)
  );
}

export default live(drawScaleOut);
