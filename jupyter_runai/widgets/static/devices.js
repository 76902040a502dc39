function drawShare({ ownership, percent, title }) {
  return element('span', { class: `runai-segment runai-${ownership}`, style: `width:${percent}%`, title });
}

function drawHolder({ ownership, name, number, title, held }) {
  return element(
    'li',
    { title },
    element('span', { class: `runai-swatch runai-${ownership}`, 'aria-hidden': 'true' }),
    `${name} `,
    element('span', { class: 'runai-number' }, number),
    held === '' ? null : element('span', { class: 'runai-quiet' }, ` · ${held}`)
  );
}

function drawDevice(device) {
  const { index, model, full_model, badges, used, utilization, sentence, is_simulated, shares } = device;
  return element(
    'li',
    {},
    element(
      'div',
      { class: 'runai-head' },
      element('span', { class: 'runai-number' }, index),
      element('span', { class: 'runai-name', title: full_model }, model),
      badges.map(badge => element('span', { class: 'runai-badge' }, badge)),
      element('span', { class: 'runai-number runai-end' }, used),
      utilization === '' ? null : element('span', { class: 'runai-number runai-utilization' }, utilization)
    ),
    element(
      'div',
      { class: `runai-bar${is_simulated ? ' runai-simulated' : ''}`, role: 'img', tabindex: 0, 'aria-label': sentence },
      shares.map(drawShare)
    ),
    shares.length === 0 ? null : element('ul', { class: 'runai-holders' }, shares.map(drawHolder))
  );
}

function drawDevices({ title, summary, notice, hint, devices, note: said }) {
  return element(
    'section',
    { class: 'runai-section', 'aria-label': title },
    element(
      'div',
      { class: 'runai-head' },
      element('h3', { class: 'runai-title' }, title),
      element('span', { class: 'runai-number runai-quiet runai-end' }, summary)
    ),
    element('p', { class: 'runai-quiet' }, notice),
    element('ul', { class: 'runai-list' }, devices.map(drawDevice)),
    element('p', { class: 'runai-quiet' }, hint),
    note(said)
  );
}

export default live(drawDevices);
