// A check for clang-tidy that finds nothing: it keeps the others to what follows the precompiled
// header.
//
// Ten of .clang-tidy ask for a node's parents. clang makes a map of all of them then, for which it
// loads the whole precompiled header: more than half of the time, for declarations of which no
// check says anything. Loaded by tidy.py; a .cpp, because it is no part of Weir and needs LLVM's
// headers.
#include <vector>

#include "clang-tidy/ClangTidyCheck.h"
#include "clang-tidy/ClangTidyModule.h"
#include "clang/AST/ASTContext.h"
#include "clang/ASTMatchers/ASTMatchFinder.h"

namespace {

class ScopeCheck : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl(), this);
  }

  // The unit is the first node that is matched, so nothing has asked for parents; its declarations
  // come next.
  void check(const clang::ast_matchers::MatchFinder::MatchResult& result) override {
    std::vector<clang::Decl*> scope;
    for (clang::Decl* declaration : result.Context->getTranslationUnitDecl()->noload_decls()) {
      if (!declaration->isFromASTFile()) scope.push_back(declaration);
    }
    result.Context->setTraversalScope(scope);
  }
};

class ScopeModule : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<ScopeCheck>("weir-scope");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<ScopeModule> registration("weir", "");

}  // namespace
