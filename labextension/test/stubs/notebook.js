/** The widgets of notebooks need a real browser; plugins need their token alone. */
const { Token } = require('@lumino/coreutils');

exports.INotebookTracker = new Token('@jupyterlab/notebook:INotebookTracker');
