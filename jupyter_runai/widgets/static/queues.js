function drawMark(kind, percent) {
  return percent === null ? null : element('span', { class: `runai-mark runai-${kind}`, style: `left:${percent}%` });
}

function drawQueue({ name, used, marks, sentence, used_percent, quota_percent, fair_share_percent }) {
  return element(
    'li',
    {},
    element(
      'div',
      { class: 'runai-head' },
      element('span', { class: 'runai-name' }, name),
      element('span', { class: 'runai-number runai-end' }, used)
    ),
    element(
      'div',
      { class: 'runai-bar', role: 'img', tabindex: 0, 'aria-label': sentence },
      element('span', { class: 'runai-segment runai-mine', style: `width:${used_percent}%` }),
      drawMark('quota', quota_percent),
      drawMark('fairShare', fair_share_percent)
    ),
    element('div', { class: 'runai-number runai-quiet' }, marks)
  );
}

function drawQueues({ title, empty, queues, note: said }) {
  return element(
    'section',
    { class: 'runai-section', 'aria-label': title },
    element('h3', { class: 'runai-title' }, title),
    element('p', { class: 'runai-quiet' }, empty),
    element('ul', { class: 'runai-list' }, queues.map(drawQueue)),
    note(said)
  );
}

export default live(drawQueues);
