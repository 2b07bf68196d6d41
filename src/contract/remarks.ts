/** Words by which faces know a remark on a file. It stands alone, so that they need no schemas. */

/** Begins the line of a file's `status_details` that says that no model can be made of it alone. */
export const shortageRemark = "too little to train a model on alone";
